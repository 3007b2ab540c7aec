"""The node that draws again with other seeds and keeps the best picture, and the node of each of its tries."""

from comfy_api.latest import io, ui

from .bridge.page import pick_best, told_later
from .chinese_words import IN_CHINESE
from .score_inputs import prompt_input, reader_input, score_input, texts_input

CATEGORY = "Z-Image/sampling"
TRIES = io.Custom("ZIMAGE_TRIES")


class ZImagePickBest(io.ComfyNode):
    """Seeds in a row, and the best of their pictures."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZImagePickBest",
            display_name="Z-Image Pick Best",
            category=CATEGORY,
            description="Draws a picture again with the next seeds, by whatever sampler draws it, until its score is "
            "good enough, and keeps the best: until the sign is spelled right.",
            search_aliases=["reroll", "re-roll", "retry", "best of n", "spelling", *IN_CHINESE["ZImagePickBest"]],
            inputs=[
                io.Image.Input(
                    "images",
                    lazy=True,
                    raw_link=True,
                    tooltip="The decoded picture of a sampler, of any model. Everything that depends on the sampler's "
                    "seed is run again for another seed.",
                ),
                score_input("word accuracy"),
                io.Int.Input(
                    "tries",
                    default=4,
                    min=1,
                    max=pick_best.MOST_TRIES,
                    tooltip="How many seeds are tried at most: that of the sampler, then the next numbers. 1 only "
                    "measures.",
                ),
                io.Float.Input(
                    "good_enough",
                    display_name="good enough",
                    default=1.0,
                    min=0.0,
                    max=100000.0,
                    step=0.05,
                    tooltip="The score at which no further seed is tried: 1 is every word right. Set 0 for CER and "
                    "other scores that are better the lower they are.",
                ),
                prompt_input("Empty takes the sampler's prompt."),
                texts_input(),
                reader_input(),
            ],
            outputs=_outputs(),
            hidden=[io.Hidden.prompt, io.Hidden.extra_pnginfo, io.Hidden.unique_id],
            enable_expand=True,
        )

    @classmethod
    def execute(cls, images, score, tries, good_enough, prompt, texts, reader) -> io.NodeOutput:
        settings = {"score": score, "reader": reader, "texts": texts, "good_enough": good_enough}
        outputs, nodes = pick_best.graph_of(images, cls.hidden, tries, prompt, **settings)
        return io.NodeOutput(*outputs, expand=nodes, ui=told_later.promise(str(cls.hidden.unique_id)))


class ZImagePickBestTry(io.ComfyNode):
    """One try, which ComfyUI runs in place of Z-Image Pick Best."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZImagePickBestTry",
            display_name="Z-Image Pick Best Try",
            category=CATEGORY,
            description="One try inside Z-Image Pick Best: measures its picture, unless one before was good enough.",
            search_aliases=["pick best try", *IN_CHINESE["ZImagePickBestTry"]],
            inputs=[
                io.String.Input("terms", default="", tooltip="What is asked, as Z-Image Pick Best writes it."),
                io.Image.Input("images", lazy=True, tooltip="The pictures of this try."),
                TRIES.Input("before", optional=True, tooltip="The tries before this one."),
            ],
            outputs=[
                *_outputs(),
                TRIES.Output(display_name="tries so far", tooltip="The tries up to this one, for the next."),
            ],
            hidden=[io.Hidden.prompt, io.Hidden.extra_pnginfo, io.Hidden.unique_id],
            is_dev_only=True,
        )

    @classmethod
    def check_lazy_status(cls, terms, images=None, before=None) -> list[str]:
        return ["images"] if images is None and pick_best.is_wanted(terms, before) else []

    @classmethod
    def execute(cls, terms, images=None, before=None) -> io.NodeOutput:
        found = pick_best.tried(terms, images, before, cls.hidden)
        if found.sheet is None:
            return io.NodeOutput(*found.outputs)
        shown = {"text": [found.report], **ui.PreviewImage(found.sheet).as_dict()}
        return io.NodeOutput(*found.outputs, ui=told_later.result(found.node, shown))


def _outputs() -> list[io.Output]:
    return [
        io.Image.Output(display_name="image", tooltip="The best picture; of equals the first."),
        io.Int.Output(display_name="seed", tooltip="Its seed, to draw it again with the sampler alone."),
        io.Float.Output(display_name="value", tooltip="Its score."),
        io.Image.Output(display_name="tries", tooltip="The pictures of all tries, in order."),
        io.String.Output(display_name="report", tooltip="The lines shown under the node: each try, seed and score."),
    ]


NODES: list[type[io.ComfyNode]] = [ZImagePickBest, ZImagePickBestTry]
