"""A second pass over faces, hands or whatever is marked, at the size Z-Image draws best."""

from comfy_api.latest import io, ui

from .bridge.tasks import detail
from .chinese_words import IN_CHINESE
from .inpaint import REGION_OUTPUT, STITCH, megapixels_input
from .sampler_inputs import VAE_INPUT


class ZImageDetail(io.ComfyNode):
    """Cuts out every marked part of a picture."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZImageDetail",
            display_name="Z-Image Detail",
            category="Z-Image/inpaint",
            description="Cuts out each marked face, hand or thing at the size Z-Image draws best, for a sampler at "
            "img2img strength 0.3 to 0.4; Z-Image Stitch puts all of them back, and nothing else changes.",
            search_aliases=[
                "face detailer",
                "adetailer",
                "detail pass",
                "face fix",
                "hands",
                "bounding box",
                *IN_CHINESE["ZImageDetail"],
            ],
            inputs=[
                io.Image.Input("image", tooltip="The picture whose details are to be painted again, of any size."),
                io.Vae.Input("vae", display_name="VAE", tooltip=VAE_INPUT),
                io.Mask.Input(
                    "mask",
                    optional=True,
                    tooltip="What to paint again; separate spots are painted one by one. Grey counts from one half up.",
                ),
                io.MultiType.Input(  # of one type the page would make a widget with a box of its own
                    "boxes",
                    [io.Custom("BOUNDING_BOX"), io.Custom("ARRAY")],
                    optional=True,
                    tooltip="Boxes of a detector, in pixels of the picture; those that touch are painted together.",
                ),
                io.Int.Input(
                    "grow",
                    default=16,
                    min=-256,
                    max=256,
                    tooltip="Pixels of the picture by which each part grows on all sides; negative shrinks it.",
                ),
                io.Int.Input(
                    "feather",
                    default=16,
                    min=0,
                    max=256,
                    tooltip="Pixels over which the new picture fades into the old one, outside the grown part.",
                ),
                megapixels_input("at which each part is painted before it goes back at its own size"),
                io.Float.Input(
                    "context",
                    default=1.5,
                    min=1.0,
                    max=20.0,
                    step=0.1,
                    advanced=True,
                    tooltip="How much the model sees around a part: the region is this many times as wide and high. "
                    "Small parts get more, so that none is enlarged over four times.",
                ),
            ],
            outputs=[
                io.Latent.Output(
                    display_name="latent",
                    is_output_list=True,
                    tooltip="Each part with its noise mask; the sampler runs once for each. Strength 0.3 to 0.4.",
                ),
                STITCH.Output(
                    display_name="stitch", is_output_list=True, tooltip="The way back of each part, for Z-Image Stitch."
                ),
                io.Image.Output(display_name="region", is_output_list=True, tooltip=REGION_OUTPUT),
            ],
        )

    @classmethod
    def execute(cls, image, vae, grow, feather, megapixels, context, mask=None, boxes=None) -> io.NodeOutput:
        found, note = detail.detail(
            *(image, mask, boxes, vae), grow=grow, feather=feather, context=context, megapixels=megapixels
        )
        latents, stitches, crops = (list(each) for each in zip(*found, strict=True))
        return io.NodeOutput(latents, stitches, crops, ui=ui.PreviewText(note))


NODES: list[type[io.ComfyNode]] = [ZImageDetail]
