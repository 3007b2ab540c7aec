"""The node that compares two models or settings, and the last node of its graph."""

from comfy_api.latest import io, ui

from .bridge.loading.page_language import words_drawn
from .bridge.page import score_results, told_later
from .bridge.tasks.comparing import models, pairs, settings
from .bridge.tasks.grid import Sources
from .chinese_words import AXES_IN_CHINESE, DRAWN_IN_CHINESE, IN_CHINESE
from .drawing_inputs import (
    first_seed_input,
    negative_prompt_input,
    prompts_input,
    seeds_input,
    source_inputs,
    step_inputs,
)
from .score_inputs import reader_input, score_input

CATEGORY = "Z-Image/tools"
PROMPTS = (
    "a red fox in fresh snow at the edge of a birch forest, soft morning light\n"
    "portrait of an old fisherman on his boat, overcast sky\n"
    "a narrow street after rain in the evening, shop signs reflected in puddles\n"
    "a bowl of ramen on a wooden table, seen from above"
)


class ZImageCompareModels(io.ComfyNode):
    """Two ways to draw the same prompts and seeds, side by side and measured."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZImageCompareModels",
            display_name="Z-Image Compare Models",
            category=CATEGORY,
            description="Draws the same prompts and seeds with two models, LoRAs or settings, puts the pictures side "
            "by side, and says by a score whether the difference is real or chance.",
            search_aliases=["a/b test", "compare", "versus", "significance", *IN_CHINESE["ZImageCompareModels"]],
            inputs=[
                *source_inputs("The model that draws column A, with its LoRAs if it has any."),
                io.Model.Input(
                    "model_b",
                    display_name="model B",
                    optional=True,
                    lazy=True,
                    raw_link=True,
                    tooltip="The model that draws column B: another release, or the same one with a LoRA or an "
                    "optimisation. Without it, model A draws both.",
                ),
                prompts_input(PROMPTS),
                io.String.Input(
                    "settings_b",
                    display_name="settings of B",
                    multiline=True,
                    placeholder="settings of B, such as: steps = 4",
                    dynamic_prompts=False,
                    default="",
                    tooltip="What column B has other than A, with commas between: steps, CFG, sampler, shift, img2img "
                    "strength, LoRA, LoRA strength or model, each with = and a value. Empty compares model B with A "
                    "at the same settings.",
                ),
                score_input("sharpness"),
                first_seed_input("Which noise the first picture of every prompt starts from, the same in A and B."),
                seeds_input(2),
                reader_input(),
                negative_prompt_input(),
                *step_inputs(),
            ],
            outputs=_outputs(),
            hidden=[io.Hidden.unique_id],
            enable_expand=True,
        )

    @classmethod
    def fingerprint_inputs(cls, settings_b="", **inputs) -> str:
        try:
            return models.files_state(_own(cls, settings_b))
        except (ValueError, OSError):
            return ""  # running tells

    @classmethod
    def execute(cls, model, clip, vae, latent, settings_b, model_b=None, **widgets) -> io.NodeOutput:
        sources = Sources(model, clip, vae, latent)
        node = str(cls.hidden.unique_id)
        outputs, nodes = models.graph_of(node, sources, model_b, widgets, _own(cls, settings_b))
        return io.NodeOutput(*outputs, expand=nodes, ui=told_later.promise(node))


class ZImageCompareModelsSheet(io.ComfyNode):
    """The last node of a comparison's graph, which ComfyUI runs in place of Z-Image Compare Models."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZImageCompareModelsSheet",
            display_name="Z-Image Compare Models Sheet",
            category=CATEGORY,
            description="The last step inside Z-Image Compare Models: measures pictures and compares them in pairs.",
            search_aliases=["compare models sheet", *IN_CHINESE["ZImageCompareModelsSheet"]],
            inputs=[
                io.String.Input("terms", default="", tooltip="What is asked, as Z-Image Compare Models writes it.")
            ],
            outputs=_outputs(),
            hidden=[io.Hidden.prompt, io.Hidden.extra_pnginfo, io.Hidden.unique_id],
            is_dev_only=True,
            accept_all_inputs=True,  # picture_0, picture_1, and so on
        )

    @classmethod
    def execute(cls, terms, **pictures) -> io.NodeOutput:
        asked = models.Terms.read(terms)
        words = words_drawn(DRAWN_IN_CHINESE, *(row.prompt for row in asked.rows))
        found = pairs.compared(asked, pictures, words)
        score_results.tell(cls.hidden, asked.node, found.facts)
        shown = {"text": [found.report], **ui.PreviewImage(found.shown).as_dict()}
        return io.NodeOutput(*found.outputs, ui=told_later.result(asked.node, shown))


def _own(cls: type[io.ComfyNode], written: str) -> settings.Settings:
    """What B has in place of A's settings; ValueError for what is no setting."""
    return settings.parsed(written, {each.id: each for each in cls.define_schema().inputs}, AXES_IN_CHINESE)


def _outputs() -> list[io.Output]:
    return [
        io.Image.Output(display_name="sheet", tooltip="A and B side by side, a row for each prompt and seed."),
        io.Image.Output(display_name="pictures A", tooltip="The pictures of column A, row by row."),
        io.Image.Output(display_name="pictures B", tooltip="The pictures of column B, row by row."),
        io.Float.Output(display_name="difference", tooltip="The mean score of B less that of A."),
        io.Float.Output(
            display_name="p",
            tooltip="How likely chance alone makes so large a difference; below 0.05 it counts as real.",
        ),
        io.String.Output(display_name="report", tooltip="The lines shown under the node: verdict, means, each pair."),
        io.String.Output(display_name="parts", tooltip="Every picture's number and what it is made of, as JSON."),
    ]


NODES: list[type[io.ComfyNode]] = [ZImageCompareModels, ZImageCompareModelsSheet]
