"""Pictures told in words: for data sets, and to draw them again."""

from comfy_api.latest import io

from .bridge.tasks import captioning
from .chinese_words import IN_CHINESE
from .sampler_inputs import seed_input


def captioner_input() -> io.Input:
    names = captioning.captioner_names()
    return io.Combo.Input(
        "captioner",
        options=names,
        default=names[0],
        tooltip="Who looks: nano for its own scenes, exactly, or as a model that learned it and errs now and then; the "
        "language server in ComfyUI's settings, if its model sees; or a vision-language model's folder in models/LLM.",
    )


def language_input() -> io.Input:
    return io.Combo.Input(
        "language",
        options=list(captioning.LANGUAGES),
        default="English",
        tooltip="The language of the caption. Texts in the picture keep theirs.",
    )


class ZImageCaption(io.ComfyNode):
    """Writes a caption for every picture."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZImageCaption",
            display_name="Z-Image Caption",
            category="Z-Image/tools",
            description="Tells pictures in words: tags, short, medium or long captions, or requests as people type "
            "them, written in English or Chinese. Lettering stays letter by letter.",
            search_aliases=["captioner", "describe", "image to text", "VLM", "tagger", *IN_CHINESE["ZImageCaption"]],
            inputs=[
                io.Image.Input("images", tooltip="Pictures of any kind; nano tells only its own."),
                io.Combo.Input(
                    "kind",
                    options=captioning.KINDS,
                    default="medium",
                    tooltip="tags; short, a sentence; medium, 40 to 70 words; long, 120 to 200, in which every text "
                    "stands; user, a request as people type it, incomplete on purpose.",
                ),
                language_input(),
                captioner_input(),
                seed_input("Which words are drawn. Another seed writes another caption.", control_after_generate=True),
                io.String.Input(
                    "known",
                    display_name="known facts",
                    multiline=True,
                    default="",
                    optional=True,
                    advanced=True,
                    tooltip="What sight does not tell: names, places, a title. Long captions use it where it fits.",
                ),
            ],
            outputs=[
                io.String.Output(
                    display_name="captions", is_output_list=True, tooltip="A text for each picture, in their order."
                ),
            ],
            is_output_node=True,
        )

    @classmethod
    def fingerprint_inputs(cls, captioner: str = "", **inputs: object) -> str:
        return f"{captioning.captioner_state(captioner)} {captioning.instruction_state()}"

    @classmethod
    def execute(cls, images, kind: str, language: str, captioner: str, seed: int, known: str = "") -> io.NodeOutput:
        found = captioning.captions_of(images, captioner, kind, language, seed, known)
        return io.NodeOutput([each.text for each in found], ui={"text": [captioning.report(found)]})


NODES: list[type[io.ComfyNode]] = [ZImageCaption]
