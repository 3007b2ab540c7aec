"""One node for pictures beyond the model's own size."""

from comfy_api.latest import io, ui

from ..zimage_core.adapters.control.control import DEFAULT_STRENGTH
from ..zimage_core.model.position_scaling import Method
from ..zimage_core.runtime.large_plan import Way
from .bridge.patches import large_picture
from .bridge.tasks import latents
from .chinese_words import IN_CHINESE
from .inpaint import VAE_INPUT

WAYS: dict[str, tuple[Way | None, Method]] = {
    "automatic": (None, "ntk"),
    "tiles": ("tiles", "ntk"),
    "whole": ("whole", "ntk"),
    "as it is": ("as it is", "ntk"),
    "whole, Vision YaRN": ("whole", "vision yarn"),
}


class ZImageLargePicture(io.ComfyNode):
    """Chooses how to draw a large picture."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZImageLargePicture",
            display_name="Z-Image Large Picture",
            category="Z-Image/sampling",
            description="Draws 2K, 4K and larger with the usual sampler: drawn at the size Z-Image draws best, "
            "enlarged, and its last steps drawn again in tiles or whole. Says what it chose, and refuses what does not "
            "fit.",
            search_aliases=[
                "2k",
                "4k",
                "8k",
                "high resolution",
                "hires fix",
                "dype",
                "vision yarn",
                "upscale",
                *IN_CHINESE["ZImageLargePicture"],
            ],
            inputs=[
                io.Model.Input("model", tooltip="A Z-Image model from any loader."),
                io.Vae.Input("vae", display_name="VAE", tooltip=VAE_INPUT),
                io.Int.Input(
                    "width",
                    default=2048,
                    min=64,
                    max=16384,
                    step=16,
                    tooltip="Width of the picture in pixels, a multiple of 16.",
                ),
                io.Int.Input(
                    "height",
                    default=2048,
                    min=64,
                    max=16384,
                    step=16,
                    tooltip="Height of the picture in pixels, a multiple of 16.",
                ),
                io.Combo.Input(
                    "method",
                    options=list(WAYS),
                    default="automatic",
                    tooltip="How the enlarged picture is finished: tiles take one tile's memory, whole looks at all of "
                    "it at once. As it is draws at the full size from the start. Automatic chooses by size and "
                    "memory.",
                ),
                io.Float.Input(
                    "detail",
                    default=0.33,
                    min=0.0,
                    max=1.0,
                    step=0.01,
                    tooltip="The last part of the steps, which is drawn again at the large size: 0.33 adds detail, "
                    "more invents more and begins to repeat things, 0.1 for the built-in nano. 0 is off.",
                ),
                io.ModelPatch.Input(
                    "control_net",
                    display_name="ControlNet",
                    optional=True,
                    tooltip="A Tile ControlNet from Z-Image Load ControlNet: it keeps the large steps to the enlarged "
                    "picture, so that detail may be higher.",
                ),
                io.Float.Input(
                    "control_strength",
                    display_name="ControlNet strength",
                    default=DEFAULT_STRENGTH,
                    min=0.0,
                    max=10.0,
                    step=0.01,
                    optional=True,
                    advanced=True,
                    tooltip="How strongly the ControlNet keeps to the enlarged picture: 0.65 to 0.9 is usual, 0 is not "
                    "at all.",
                ),
            ],
            outputs=[
                io.Model.Output(
                    display_name="model", tooltip="The model that draws so, for any sampler; the input is unchanged."
                ),
                io.Latent.Output(display_name="latent", tooltip="A blank latent of this size, for the same sampler."),
            ],
        )

    @classmethod
    def execute(
        cls, model, vae, width, height, method, detail, control_net=None, control_strength: float = DEFAULT_STRENGTH
    ) -> io.NodeOutput:
        steered_by = (control_net, control_strength) if control_net is not None and control_strength else None
        way, positions = WAYS[method]
        large, size, report = large_picture.prepare(model, vae, width, height, way, detail, steered_by, positions)
        return io.NodeOutput(large, latents.empty_latent(*size, 1), ui=ui.PreviewText(report))


NODES: list[type[io.ComfyNode]] = [ZImageLargePicture]
