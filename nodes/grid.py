"""The comparison grid, and the sheet it ends in."""

from comfy_api.latest import io, ui

from ..zimage_core.grid import NO_AXIS
from .bridge.loading import files
from .bridge.page import told_later
from .bridge.tasks import grid, grid_axes
from .chinese_words import AXES_IN_CHINESE, IN_CHINESE
from .drawing_inputs import first_seed_input, negative_prompt_input, source_inputs, step_inputs

CATEGORY = "Z-Image/image"


class ZImageGrid(io.ComfyNode):
    """Pictures that differ in one to three settings, on one labelled sheet."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZImageGrid",
            display_name="Z-Image Grid",
            category=CATEGORY,
            description="Compares settings: draws a picture for every combination of values on up to three axes, and "
            "puts them on one labelled sheet.",
            search_aliases=[
                "xyz plot",
                "xy plot",
                "x/y/z",
                "compare",
                "contact sheet",
                "batch",
                *IN_CHINESE["ZImageGrid"],
            ],
            inputs=[
                *source_inputs("The model that draws. A model axis loads others in its place."),
                io.String.Input(
                    "prompt",
                    multiline=True,
                    dynamic_prompts=False,  # else the page would decide choices at every run, and draw everything again
                    tooltip="What the pictures should show. A prompt axis takes its place.",
                ),
                *_axis_inputs("x", "columns", "steps", "4, 8, 12"),
                *_axis_inputs("y", "rows", NO_AXIS, ""),
                *_axis_inputs("z", "sheets", NO_AXIS, "", is_advanced=True),
                *_setting_inputs(),
            ],
            outputs=[
                io.Image.Output(display_name="sheet", tooltip="The labelled sheet; with a z axis one for each value."),
                io.Image.Output(display_name="pictures", tooltip="All pictures, row by row, without labels."),
                io.String.Output(display_name="labels", tooltip="A line for each picture: what it was drawn with."),
            ],
            hidden=[io.Hidden.unique_id],
            enable_expand=True,
        )

    @classmethod
    def fingerprint_inputs(cls, **inputs) -> str:
        return grid_axes.files_state(inputs)

    @classmethod
    def execute(cls, model, clip, vae, latent, **widgets) -> io.NodeOutput:
        axes = grid_axes.axes_of(widgets, cls.define_schema().inputs, AXES_IN_CHINESE)
        settings = grid_axes.settings_of(axes, widgets)
        node = str(cls.hidden.unique_id)
        made = grid.expand(node, grid.Sources(model, clip, vae, latent), settings, grid_axes.layout_of(axes))
        return io.NodeOutput(*made.outputs, expand=made.nodes, ui=told_later.promise(node))


class ZImageGridSheet(io.ComfyNode):
    """The last node of a grid's graph, which ComfyUI runs in place of Z-Image Grid."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZImageGridSheet",
            display_name="Z-Image Grid Sheet",
            category=CATEGORY,
            description="The last step inside Z-Image Grid: puts its pictures on the labelled sheet.",
            search_aliases=["grid sheet", *IN_CHINESE["ZImageGridSheet"]],
            inputs=[io.String.Input("layout", default="", tooltip="The labels, as Z-Image Grid writes them.")],
            outputs=[
                io.Image.Output(display_name="sheet", tooltip="The labelled sheet; with a z axis one for each value."),
                io.Image.Output(display_name="pictures", tooltip="All pictures, row by row, without labels."),
                io.String.Output(display_name="labels", tooltip="A line for each picture: what it was drawn with."),
            ],
            is_dev_only=True,
            accept_all_inputs=True,  # picture_0, picture_1, and so on
        )

    @classmethod
    def execute(cls, layout: str, **pictures) -> io.NodeOutput:
        outputs, shown, node = grid.sheets_of(layout, pictures)
        return io.NodeOutput(*outputs, ui=told_later.result(node, ui.PreviewImage(shown).as_dict()))


def _axis_inputs(letter: str, where: str, name: str, values: str, *, is_advanced: bool = False) -> list[io.Input]:
    return [
        io.Combo.Input(
            f"{letter}_axis",
            display_name=f"{letter.upper()} axis ({where})",
            options=[NO_AXIS, *grid_axes.NAMES],
            default=name,
            advanced=is_advanced,
            tooltip=f"What differs between {where}; none for nothing.",
        ),
        io.String.Input(
            f"{letter}_values",
            display_name=f"{letter.upper()} values",
            multiline=True,
            placeholder=f"{letter.upper()} values",
            dynamic_prompts=False,
            default=values,
            advanced=is_advanced,
            tooltip="The values with commas between them; numbers also as 1-4 or 4-12:4, prompts one a line. Words in "
            "prompt: first the words to replace, then what takes their place.",
        ),
    ]


def _setting_inputs() -> list[io.Input]:
    """The settings that no axis varies."""
    return [
        negative_prompt_input(),
        first_seed_input("Which noise to start from, the same for all pictures unless an axis varies it."),
        *step_inputs(),
        io.Combo.Input(
            "lora",
            display_name="LoRA",
            options=files.lora_choices(),
            default=files.NO_LORA,
            advanced=True,
            tooltip="A file from models/loras that is put on the model in all pictures, for a LoRA strength axis.",
        ),
        io.Float.Input(
            "lora_strength",
            display_name="LoRA strength",
            default=1.0,
            min=-100.0,
            max=100.0,
            step=0.01,
            advanced=True,
            tooltip="How strong the LoRA acts: 1 as trained, 0 not at all; below 0 it does the opposite.",
        ),
    ]


NODES: list[type[io.ComfyNode]] = [ZImageGrid, ZImageGridSheet]
