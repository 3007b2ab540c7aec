"""The node that puts a number beside pictures."""

from comfy_api.latest import io

from .bridge.page import metadata, score_results
from .bridge.tasks import scores
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
                score_input("sharpness"),
                prompt_input("Empty takes the prompt of the sampler that drew the pictures."),
                texts_input(),
                reader_input(),
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
    def execute(cls, images, score, prompt, texts, reader) -> io.NodeOutput:
        request = scores.request_of(prompt or metadata.prompt_before(cls.hidden), texts)
        found = scores.scored(images, scores.score_of(score, reader), request)
        score_results.tell(cls.hidden, str(cls.hidden.unique_id), found.facts)
        return io.NodeOutput(found.value, found.parts, found.report, images, ui={"text": [found.report]})


NODES: list[type[io.ComfyNode]] = [ZImageScore]
