"""The node that says which strength of a LoRA to take, and the last node of its graph."""

from typing import Any

from comfy_api.latest import io, ui

from .bridge.loading import files
from .bridge.loading.page_language import words_drawn
from .bridge.page import score_results, told_later
from .bridge.tasks import scores
from .bridge.tasks.comparing import lora_report, lora_strengths
from .bridge.tasks.grid import Sources
from .chinese_words import DRAWN_IN_CHINESE, IN_CHINESE
from .drawing_inputs import (
    first_seed_input,
    negative_prompt_input,
    prompts_input,
    seeds_input,
    source_inputs,
    step_inputs,
)
from .score_inputs import reader_input

CATEGORY = "Z-Image/tools"
PROMPTS = (
    "portrait of a woman in a cafe, soft window light\n"
    "a red fox in fresh snow at the edge of a birch forest\n"
    "a narrow street after rain in the evening"
)


class ZImageLoraTest(io.ComfyNode):
    """Strengths of a LoRA, side by side, and the one to take."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZImageLoraTest",
            display_name="Z-Image LoRA Test",
            category=CATEGORY,
            description="Draws the same prompts and seeds with several strengths of a LoRA, measures what each brings "
            "and how burnt its pictures are, and says which strength to take.",
            search_aliases=["lora strength", "lora weight", "best strength", "overfit", *IN_CHINESE["ZImageLoraTest"]],
            inputs=[
                *source_inputs("The model that draws, without the LoRA that is tested."),
                io.Image.Input(
                    "references",
                    optional=True,
                    lazy=True,
                    raw_link=True,
                    tooltip="Pictures of what the LoRA is to bring, such as some it was trained on: pictures should "
                    "become like them. They need a vision model.",
                ),
                io.ClipVision.Input(
                    "clip_vision",
                    display_name="CLIP vision",
                    optional=True,
                    lazy=True,
                    raw_link=True,
                    tooltip="Any vision model; pictures are compared with the references by its features.",
                ),
                _lora_input(),
                prompts_input(PROMPTS),
                io.String.Input(
                    "strengths",
                    default="0.25-1.5:0.25",
                    tooltip="The strengths to try, with commas between them or as a range; 0, without the LoRA, is "
                    "always drawn too.",
                ),
                io.Combo.Input(
                    "score",
                    options=[lora_strengths.AUTOMATIC, *scores.names()],
                    default=lora_strengths.AUTOMATIC,
                    tooltip="What the LoRA is to bring. Automatic is likeness to the references where they are "
                    "connected, else how much the pictures change; or any score of Z-Image Score, by the prompts.",
                ),
                first_seed_input(
                    "Which noise the first picture of every prompt starts from, the same at each strength."
                ),
                seeds_input(2),
                io.Float.Input(
                    "burn_limit",
                    display_name="burn limit",
                    default=1.0,
                    min=0.05,
                    max=10.0,
                    step=0.05,
                    advanced=True,
                    tooltip="How far saturation, contrast and fine detail may move from the pictures without the LoRA, "
                    "together: 1 is a doubling of one of them. Higher for LoRAs that change the medium.",
                ),
                reader_input(),
                negative_prompt_input(),
                *step_inputs(),
            ],
            outputs=_outputs(),
            hidden=[io.Hidden.unique_id],
            enable_expand=True,
        )

    @classmethod
    def fingerprint_inputs(cls, lora=files.NO_LORA, **inputs) -> str:
        return "" if lora == files.NO_LORA else files.file_state(files.lora_path(lora))

    @classmethod
    def execute(cls, model, clip, vae, latent, references=None, clip_vision=None, **widgets) -> io.NodeOutput:
        given: dict[str, Any] = {"references": references, "clip_vision": clip_vision}
        links = {name: link for name, link in given.items() if link is not None}
        sources = Sources(model, clip, vae, latent)
        node = str(cls.hidden.unique_id)
        outputs, nodes = lora_strengths.graph_of(node, sources, widgets, **links)
        return io.NodeOutput(*outputs, expand=nodes, ui=told_later.promise(node))


class ZImageLoraTestSheet(io.ComfyNode):
    """The last node of a test's graph, which ComfyUI runs in place of Z-Image LoRA Test."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZImageLoraTestSheet",
            display_name="Z-Image LoRA Test Sheet",
            category=CATEGORY,
            description="The last step inside Z-Image LoRA Test: measures the pictures and chooses a strength.",
            search_aliases=["lora test sheet", *IN_CHINESE["ZImageLoraTestSheet"]],
            inputs=[
                io.String.Input("terms", default="", tooltip="What is asked, as Z-Image LoRA Test writes it."),
                io.Image.Input("references", optional=True, tooltip="Pictures of what the LoRA is to bring."),
                io.ClipVision.Input(
                    "clip_vision",
                    display_name="CLIP vision",
                    optional=True,
                    tooltip="The vision model through which pictures are compared.",
                ),
            ],
            outputs=_outputs(),
            hidden=[io.Hidden.prompt, io.Hidden.extra_pnginfo, io.Hidden.unique_id],
            is_dev_only=True,
            accept_all_inputs=True,  # picture_0, picture_1, and so on
        )

    @classmethod
    def execute(cls, terms, references=None, clip_vision=None, **pictures) -> io.NodeOutput:
        asked = lora_strengths.Terms.read(terms)
        words = words_drawn(DRAWN_IN_CHINESE, *(row.prompt for row in asked.rows))
        found = lora_report.tested(asked, pictures, references, clip_vision, words)
        score_results.tell(cls.hidden, asked.node, found.facts)
        shown = {"text": [found.report], **scores.plotted(found.plot), **ui.PreviewImage(found.shown).as_dict()}
        return io.NodeOutput(*found.outputs, ui=told_later.result(asked.node, shown))


def _lora_input() -> io.Input:
    return io.Combo.Input(
        "lora",
        display_name="LoRA",
        options=files.lora_choices(),
        default=files.NO_LORA,
        tooltip="The file from models/loras that is tested.",
    )


def _outputs() -> list[io.Output]:
    return [
        io.Image.Output(display_name="sheet", tooltip="A column for each strength, a row for each prompt and seed."),
        io.Float.Output(display_name="strength", tooltip="The strength to take, for a LoRA loader."),
        io.Image.Output(display_name="plot", tooltip="What each strength brings, blue, and how burnt it is, red."),
        io.Image.Output(display_name="pictures", tooltip="All pictures, strength by strength, without labels."),
        io.String.Output(display_name="report", tooltip="The lines shown under the node: the strength, and each one."),
        io.String.Output(display_name="parts", tooltip="Every strength's and picture's numbers, as JSON."),
    ]


NODES: list[type[io.ComfyNode]] = [ZImageLoraTest, ZImageLoraTestSheet]
