"""The node that puts a number beside pictures."""

from comfy_api.latest import io

from .bridge.page import metadata, score_results
from .bridge.tasks import connected_scores, scores
from .chinese_words import IN_CHINESE
from .score_inputs import prompt_input, reader_input, score_input, texts_input


class ZImageScore(io.ComfyNode):
    """Measures pictures of any model."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZImageScore",
            display_name="Z-Image Score",
            category="Z-Image/tools",
            description="Puts a number beside pictures of any model: whether their lettering is spelled right, how "
            "sharp, colourful or noisy they are, and for nano whether they show what the prompt says.",
            search_aliases=["ocr", "rate", "metric", "quality", "aesthetic", "spelling", *IN_CHINESE["ZImageScore"]],
            inputs=[
                io.Image.Input("images", tooltip="Pictures of any model."),
                score_input("sharpness", *connected_scores.ONLY_HERE),
                prompt_input("Empty takes the prompt of the sampler that drew the pictures."),
                texts_input(),
                reader_input(),
                io.ClipVision.Input(
                    "clip_vision",
                    display_name="CLIP vision",
                    optional=True,
                    tooltip="Who looks, for likeness and distance: any vision model, SigLIP among them.",
                ),
                io.Image.Input(
                    "reference", optional=True, tooltip="What likeness (a picture) and distance (a set) compare with."
                ),
                io.String.Input(
                    "labels",
                    optional=True,
                    force_input=True,
                    tooltip="What the pictures are called, one a line, as Z-Image Grid tells it beside its pictures: "
                    "their numbers are then drawn over the grid's axis.",
                ),
                io.String.Input(
                    "questions",
                    multiline=True,
                    placeholder="questions for a judge, one a line",
                    dynamic_prompts=False,
                    default="",
                    optional=True,
                    advanced=True,
                    tooltip="What a judge is asked of each picture, one question a line. Yes is right, unless another "
                    "answer stands behind =. A question indented below another counts only where that one is right.",
                ),
                io.MultiType.Input(  # of one type the page would make a widget with a box of its own
                    "boxes",
                    [io.Custom("BOUNDING_BOX"), io.Custom("ARRAY")],
                    optional=True,
                    tooltip="What a detector of ComfyUI's found in these pictures, for objects (boxes): the share of "
                    "the things in the prompt that are there.",
                ),
            ],
            outputs=[
                io.Float.Output(
                    display_name="value", tooltip="The mean of the pictures that could be scored; others do not count."
                ),
                io.String.Output(
                    display_name="parts",
                    tooltip="Each picture's number, what it is made of and what was seen, as JSON.",
                ),
                io.String.Output(display_name="report", tooltip="The lines shown under the node."),
                io.Image.Output(
                    display_name="images",
                    tooltip="The same pictures. Saved from here, they tell their score in their metadata.",
                ),
            ],
            hidden=[io.Hidden.prompt, io.Hidden.extra_pnginfo, io.Hidden.unique_id],
            is_output_node=True,
        )

    @classmethod
    def execute(
        cls, images, score, prompt, texts, reader, clip_vision=None, reference=None, labels="", questions="", boxes=None
    ) -> io.NodeOutput:
        request = scores.request_of(prompt or metadata.prompt_before(cls.hidden), texts, questions)
        given = connected_scores.Given(
            request=request, reader=reader, clip_vision=clip_vision, reference=reference, boxes=boxes
        )
        found = connected_scores.measured(score, images, given, labels)
        score_results.tell(cls.hidden, str(cls.hidden.unique_id), found.facts)
        return io.NodeOutput(found.value, found.parts, found.report, images, ui=found.shown)


NODES: list[type[io.ComfyNode]] = [ZImageScore]
