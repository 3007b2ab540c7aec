"""Running models from other loaders with this pack's forward."""

from comfy_api.latest import io

from .bridge.network import attach
from .chinese_words import IN_CHINESE


class ZImageAttach(io.ComfyNode):
    """Replaces the forward of a model that another loader loaded."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZImageAttach",
            display_name="Z-Image Attach",
            category="Z-Image/loaders",
            description="Runs a Z-Image model from any loader with this pack's code, so that attention guidance and "
            "layer skipping take effect. Weights, LoRAs and memory stay ComfyUI's.",
            search_aliases=[
                "nag",
                "skip layer guidance",
                "unet loader",
                "load diffusion model",
                "patch model",
                *IN_CHINESE["ZImageAttach"],
            ],
            inputs=[
                io.Model.Input(
                    "model", tooltip="A Z-Image model from the stock Load Diffusion Model or another pack's loader."
                ),
            ],
            outputs=[
                io.Model.Output(
                    display_name="model", tooltip="The same model, run by this pack; the input is unchanged."
                )
            ],
        )

    @classmethod
    def execute(cls, model) -> io.NodeOutput:
        return io.NodeOutput(attach.attach(model))


NODES: list[type[io.ComfyNode]] = [ZImageAttach]
