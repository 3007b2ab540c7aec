"""Empty latents for text to image."""

from comfy_api.latest import io

from .bridge.tasks import latents
from .chinese_words import IN_CHINESE

RATIOS = {
    "1:1": (1, 1),
    "5:4": (5, 4),
    "4:3": (4, 3),
    "3:2": (3, 2),
    "16:9": (16, 9),
    "21:9": (21, 9),
    "4:5": (4, 5),
    "3:4": (3, 4),
    "2:3": (2, 3),
    "9:16": (9, 16),
    "9:21": (9, 21),
}


class ZImageEmptyLatent(io.ComfyNode):
    """A latent of zeros by aspect ratio and area."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZImageEmptyLatent",
            display_name="Z-Image Empty Latent",
            category="Z-Image/latent",
            description="A blank latent by aspect ratio and megapixels; both sides come out as multiples of 16 pixels.",
            search_aliases=[
                "resolution",
                "size",
                "aspect ratio",
                "empty latent image",
                "megapixels",
                *IN_CHINESE["ZImageEmptyLatent"],
            ],
            inputs=[
                io.Combo.Input(
                    "ratio",
                    options=list(RATIOS),
                    default="1:1",
                    tooltip="Width to height of the picture.",
                ),
                io.Float.Input(
                    "megapixels",
                    default=1.0,
                    min=0.004,
                    max=16.0,
                    step=0.001,
                    tooltip="Area of the picture; 1 is 1024x1024 pixels, where Z-Image draws best, and up to about 4 "
                    "works. 0.004 is the 64x64 of the built-in nano model.",
                ),
                io.Int.Input(
                    "batch_size",
                    display_name="batch size",
                    default=1,
                    min=1,
                    max=4096,
                    tooltip="How many pictures to draw at once, each from its own noise.",
                ),
            ],
            outputs=[
                io.Latent.Output(display_name="latent", tooltip="The blank latent, for any sampler."),
                io.Int.Output(display_name="width", tooltip="Width of the picture in pixels."),
                io.Int.Output(display_name="height", tooltip="Height of the picture in pixels."),
            ],
        )

    @classmethod
    def execute(cls, ratio: str, megapixels: float, batch_size: int) -> io.NodeOutput:
        width, height = latents.size_from_ratio(RATIOS[ratio], megapixels)
        return io.NodeOutput(latents.empty_latent(width, height, batch_size), width, height)


NODES: list[type[io.ComfyNode]] = [ZImageEmptyLatent]
