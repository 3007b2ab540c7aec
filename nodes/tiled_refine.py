"""Refining a large picture in tiles that meet at every step."""

from comfy_api.latest import io, ui

from .bridge.patches import tiled
from .chinese_words import IN_CHINESE


class ZImageTiledRefine(io.ComfyNode):
    """Evaluates a model in overlapping tiles."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZImageTiledRefine",
            display_name="Z-Image Tiled Refine",
            category="Z-Image/sampling",
            description="Lets any sampler refine a large picture in tiles of the size Z-Image draws best, which are "
            "blended at every step so that no seams grow. For an enlarged picture at img2img strength 0.2 to 0.4.",
            search_aliases=[
                "tile",
                "upscale",
                "ultimate sd upscale",
                "multidiffusion",
                "tiled diffusion",
                "4k",
                "hires fix",
                *IN_CHINESE["ZImageTiledRefine"],
            ],
            inputs=[
                io.Model.Input("model", tooltip="A Z-Image model from any loader."),
                io.Int.Input(
                    "tile_size",
                    display_name="tile size",
                    default=1024,
                    min=64,
                    max=4096,
                    step=16,
                    tooltip="Side of a tile in pixels; 1024 is the size Z-Image draws best, 64 that of the built-in "
                    "nano. A picture no larger than a tile is drawn as without this node, bit for bit.",
                ),
                io.Int.Input(
                    "overlap",
                    default=256,
                    min=0,
                    max=2048,
                    step=8,
                    tooltip="Pixels that neighbouring tiles share at least; a quarter of a tile shows no seam, more "
                    "costs more tiles.",
                ),
            ],
            outputs=[
                io.Model.Output(
                    display_name="model", tooltip="The model in tiles, for any sampler; the input is unchanged."
                )
            ],
        )

    @classmethod
    def execute(cls, model, tile_size: int, overlap: int) -> io.NodeOutput:
        tiling = tiled.tiling_of(tile_size, overlap)
        return io.NodeOutput(tiled.with_tiles(model, tiling), ui=ui.PreviewText(tiled.cost_note(tiling)))


NODES: list[type[io.ComfyNode]] = [ZImageTiledRefine]
