"""The node that puts a list of LoRAs, written as text, on a model."""

from comfy_api.latest import io, ui

from .bridge.page import metadata
from .bridge.patches import lora_list
from .chinese_words import IN_CHINESE


class ZImageLoraList(io.ComfyNode):
    """Any number of LoRAs on a MODEL, one a line of text, and what an artist wants to know of each."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZImageLoraList",
            display_name="Z-Image LoRA List",
            category="Z-Image/loaders",
            description="Puts any number of LoRAs on a Z-Image model, one a line, and tells of each what fits and its "
            "trigger words.",
            search_aliases=["lora list", "lora stack", "multi lora", "trigger words", *IN_CHINESE["ZImageLoraList"]],
            inputs=[
                io.Model.Input("model", tooltip="A Z-Image model from this pack's loader or any other."),
                io.String.Input(
                    "loras",
                    display_name="LoRAs",
                    multiline=True,
                    default="",
                    placeholder="style.safetensors : 0.8\n# switched off.safetensors : 1",
                    tooltip="One LoRA a line: a file from models/loras, a colon, its strength (1 if none is given). "
                    "A line that begins with # is off. After the strength may stand a part of the steps (@ 0.2-1) and "
                    "factors for blocks (blocks 0-9=0.5).",
                ),
                io.Float.Input(
                    "most_change",
                    display_name="most change",
                    default=0.0,
                    min=0.0,
                    max=100.0,
                    step=0.5,
                    optional=True,
                    advanced=True,
                    tooltip="The most that all LoRAs together may change the weights, in percent: above it all "
                    "strengths are lowered together. 0 is no limit; the report tells the change.",
                ),
            ],
            outputs=[
                io.Model.Output(display_name="model", tooltip="The model with the LoRAs; the input is unchanged."),
                io.String.Output(
                    display_name="trigger words",
                    tooltip="The words that call up the LoRAs that are on, between commas, as their files name them.",
                ),
                io.String.Output(
                    display_name="report",
                    tooltip="For each LoRA: how many of its modules fit, its trigger words, and whether it was trained "
                    "for this release; then how much the list changes the weights.",
                ),
            ],
            hidden=[io.Hidden.prompt, io.Hidden.unique_id],
        )

    @classmethod
    def validate_inputs(cls, loras: str | None = None) -> bool | str:
        return lora_list.check(loras)

    @classmethod
    def fingerprint_inputs(cls, loras: str, **linked) -> str:
        return lora_list.state(loras)

    @classmethod
    def execute(cls, model, loras: str, most_change: float = 0.0) -> io.NodeOutput:
        model_file = metadata.model_file(cls.hidden.prompt, cls.hidden.unique_id) if cls.hidden else None
        changed, report, words = lora_list.load_list(model, loras, model_file, most_change)
        return io.NodeOutput(changed, words, report, ui=ui.PreviewText(report))


NODES: list[type[io.ComfyNode]] = [ZImageLoraList]
