"""Nodes that put LoRAs on a model and convert LoRA files between naming schemes."""

from collections.abc import Mapping

from comfy_api.latest import io, ui

from ..zimage_core.checkpoints.lora.write import NAMINGS
from .bridge.loading import files
from .bridge.patches import loras
from .chinese_words import IN_CHINESE

CATEGORY = "Z-Image/loaders"


class ZImageLoraLoader(io.ComfyNode):
    """Up to four LoRAs on a MODEL, and a report of what each file matched."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZImageLoraLoader",
            display_name="Z-Image Load LoRA",
            category=CATEGORY,
            description="Puts up to four LoRAs of any trainer on a Z-Image model and reports what of each was used.",
            search_aliases=[
                "lora",
                "lycoris",
                "lokr",
                "loha",
                "dora",
                "load lora",
                "lora stack",
                "multi lora",
                *IN_CHINESE["ZImageLoraLoader"],
            ],
            inputs=[
                io.Model.Input("model", tooltip="A Z-Image model from this pack's loader or any other."),
                *(widget for slot in loras.SLOTS for widget in _slot_widgets(*slot, is_first=slot == loras.SLOTS[0])),
            ],
            outputs=[
                io.Model.Output(display_name="model", tooltip="The model with the LoRAs; the input is unchanged."),
                io.String.Output(
                    display_name="report",
                    tooltip="For each file: who wrote it, its kind, rank and alpha, how many weights matched and which "
                    "did not.",
                ),
            ],
        )

    @classmethod
    def fingerprint_inputs(cls, **inputs) -> str:
        names = [name for name, _ in _chosen(inputs) if name != files.NO_LORA]
        return " ".join(files.file_state(files.lora_path(name)) for name in names)

    @classmethod
    def execute(cls, model, **inputs) -> io.NodeOutput:
        changed, report = loras.load_loras(model, _chosen(inputs))
        return io.NodeOutput(changed, report, ui=ui.PreviewText(report))


class ZImageConvertLora(io.ComfyNode):
    """A LoRA file rewritten with the key names of other software."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZImageConvertLora",
            display_name="Z-Image Convert LoRA",
            category="Z-Image/tools",
            description="Writes a Z-Image LoRA of any trainer with the names ComfyUI or diffusers uses, without loss.",
            search_aliases=[
                "save lora",
                "export lora",
                "convert lora",
                "rename keys",
                "musubi",
                "diffusers",
                *IN_CHINESE["ZImageConvertLora"],
            ],
            inputs=[
                io.Combo.Input(
                    "lora_name",
                    display_name="LoRA name",
                    options=files.lora_choices(),
                    default=files.NO_LORA,
                    tooltip="A file from models/loras, of any trainer.",
                ),
                io.Combo.Input(
                    "naming",
                    options=list(NAMINGS),
                    default="ComfyUI",
                    tooltip="ComfyUI: names as in the single-file model, queries, keys and values in one. "
                    "diffusers: names as in the published folder, for Python scripts and other trainers.",
                ),
                io.String.Input(
                    "filename_prefix",
                    display_name="filename prefix",
                    default="loras/z_image_lora",
                    tooltip="Folder and name inside ComfyUI's output folder; a number is added, so nothing is "
                    "overwritten.",
                ),
            ],
            outputs=[io.String.Output(display_name="path", tooltip="Where the new file lies.")],
            is_output_node=True,
        )

    @classmethod
    def fingerprint_inputs(cls, lora_name: str, naming: str, filename_prefix: str) -> str:
        return "" if lora_name == files.NO_LORA else files.file_state(files.lora_path(lora_name))

    @classmethod
    def execute(cls, lora_name: str, naming: str, filename_prefix: str) -> io.NodeOutput:
        path = loras.convert(lora_name, naming, filename_prefix)
        return io.NodeOutput(path, ui=ui.PreviewText(path))


def _slot_widgets(lora: str, strength: str, *, is_first: bool) -> list[io.Input]:
    """The two widgets of one LoRA; all but the first pair are advanced inputs."""
    return [
        io.Combo.Input(
            lora,
            display_name=lora.replace("lora_", "LoRA "),
            options=files.lora_choices(),
            default=files.NO_LORA,
            advanced=not is_first,
            tooltip="A file from models/loras trained for Z-Image, by any trainer; none leaves the model as it is."
            if is_first
            else "Another LoRA; all that are chosen add up.",
        ),
        io.Float.Input(
            strength,
            display_name=strength.replace("_", " "),
            default=1.0,
            min=-100.0,
            max=100.0,
            step=0.01,
            advanced=not is_first,
            tooltip="How strong the LoRA acts: 1 as trained, 0 not at all; below 0 it does the opposite.",
        ),
    ]


def _chosen(inputs: Mapping[str, str | float]) -> list[tuple[str, float]]:
    """File name and strength of every slot, from the widgets' values."""
    return [(str(inputs[lora]), float(inputs[strength])) for lora, strength in loras.SLOTS]


NODES: list[type[io.ComfyNode]] = [ZImageLoraLoader, ZImageConvertLora]
