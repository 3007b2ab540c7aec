"""The look of another picture, with models that were never trained to look at any."""

from comfy_api.latest import io, ui

from .bridge.tasks import style_reference
from .chinese_words import IN_CHINESE
from .inpaint import VAE_INPUT
from .sampler_inputs import percent_input


class ZImageStyleReference(io.ComfyNode):
    """Shares a model's attention with reference pictures."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZImageStyleReference",
            display_name="Z-Image Style Reference",
            category="Z-Image/conditioning",
            description="Draws in the look of another picture where the prompt leaves it open: ground, light, colour. "
            "For Turbo and base, without training; it is no edit and does not keep a face.",
            search_aliases=[
                "style transfer",
                "ip adapter",
                "ipadapter",
                "reference image",
                "style aligned",
                "shared attention",
                *IN_CHINESE["ZImageStyleReference"],
            ],
            is_experimental=True,
            inputs=[
                io.Model.Input("model", tooltip="A Z-Image model from any loader."),
                io.Vae.Input("vae", display_name="VAE", tooltip=VAE_INPUT),
                io.Image.Input(
                    "image", tooltip="The picture whose look to take; a batch of up to four counts together."
                ),
                io.Float.Input(
                    "strength",
                    default=1.0,
                    min=0.0,
                    max=10.0,
                    step=0.05,
                    tooltip="How much the reference is looked at: 0 is not at all, below 1 keeps more of the prompt, "
                    "above 1 copies more.",
                ),
                percent_input("start_percent", 0.0, "The part of the run at which it begins to act.", is_advanced=True),
                percent_input(
                    "end_percent",
                    0.6,
                    "The part of the run at which it ends. Ending early leaves colours and details to the prompt.",
                ),
            ],
            outputs=[
                io.Model.Output(
                    display_name="model",
                    tooltip="The model with the reference, for any sampler; the input is unchanged.",
                )
            ],
        )

    @classmethod
    def execute(cls, model, vae, image, strength, start_percent, end_percent) -> io.NodeOutput:
        steered, report = style_reference.with_pictures(
            model, vae, image, strength=strength, percents=(start_percent, end_percent)
        )
        return io.NodeOutput(steered, ui=ui.PreviewText(report))


NODES: list[type[io.ComfyNode]] = [ZImageStyleReference]
