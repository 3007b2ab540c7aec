"""Image to image, inpainting and outpainting."""

from comfy_api.latest import io, ui

from ..zimage_core.regions import ANCHORS, FILLS, Margins
from .bridge.loading import picture_notes
from .bridge.tasks import regions
from .chinese_words import IN_CHINESE
from .latent import RATIOS
from .sampler_inputs import VAE_INPUT

CATEGORY = "Z-Image/inpaint"
STITCH = io.Custom("ZIMAGE_STITCH")
BY_PIXELS = "by pixels"
SIDE_MAX = 8192

LATENT_OUTPUT = (
    "The region with its noise mask, for any sampler; an img2img strength below 1 keeps some of what was there."
)
STITCH_OUTPUT = "The way back into the picture, for Z-Image Stitch."
NOTHING_NEW = "The picture has that size already: nothing is painted. Choose another ratio, or pixels to add."
REGION_OUTPUT = "The region as the model sees it before painting."


def megapixels_input(subject: str) -> io.Input:
    return io.Float.Input(
        "megapixels",
        default=1.0,
        min=0.0,
        max=16.0,
        step=0.001,
        tooltip=f"Area {subject}; at 1, which is 1024x1024 pixels, Z-Image draws best. 0 keeps the size, "
        "0.004 is the 64x64 of the built-in nano model.",
    )


def context_input() -> io.Input:
    return io.Float.Input(
        "context",
        default=2.0,
        min=1.0,
        max=20.0,
        step=0.1,
        advanced=True,
        tooltip="How much the model sees around the mask: the region is this many times as wide and high as what is "
        "painted. More fits the rest better, less paints finer detail.",
    )


def outputs() -> list[io.Output]:
    return [
        io.Latent.Output(display_name="latent", tooltip=LATENT_OUTPUT),
        STITCH.Output(display_name="stitch", tooltip=STITCH_OUTPUT),
        io.Image.Output(display_name="region", tooltip=REGION_OUTPUT),
    ]


class ZImageImageToImage(io.ComfyNode):
    """Encodes an image at an area the model draws well."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZImageImageToImage",
            display_name="Z-Image Image to Image",
            category=CATEGORY,
            description="Turns any picture into a latent to start from, scaled to the area Z-Image draws best.",
            search_aliases=[
                "img2img",
                "i2i",
                "variation",
                "vae encode",
                "resize",
                "start image",
                "upscale",
                "hires fix",
                *IN_CHINESE["ZImageImageToImage"],
            ],
            inputs=[
                io.Image.Input("image", tooltip="The picture to start from, of any size; its transparency is ignored."),
                io.Vae.Input("vae", display_name="VAE", tooltip=VAE_INPUT),
                megapixels_input("the picture is scaled to before encoding, in its own shape"),
                io.Int.Input(
                    "batch_size",
                    display_name="batch size",
                    default=1,
                    min=1,
                    max=4096,
                    tooltip="How many variations to draw of each picture, each from its own noise.",
                ),
            ],
            outputs=[
                io.Latent.Output(
                    display_name="latent", tooltip="The encoded picture; sample it with an img2img strength below 1."
                ),
                io.Int.Output(display_name="width", tooltip="Width of the new picture in pixels."),
                io.Int.Output(display_name="height", tooltip="Height of the new picture in pixels."),
            ],
        )

    @classmethod
    def execute(cls, image, vae, megapixels: float, batch_size: int) -> io.NodeOutput:
        latent, width, height = regions.image_to_image(image, vae, megapixels, batch_size)
        note = picture_notes.size_note(image, latent, "scaled and cropped")
        return io.NodeOutput(latent, width, height, ui=ui.PreviewText(note) if note else None)


class ZImageInpaint(io.ComfyNode):
    """Crops and encodes the region around a mask."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZImageInpaint",
            display_name="Z-Image Inpaint",
            category=CATEGORY,
            description="Cuts out the region around a mask and prepares it for repainting; Z-Image Stitch puts the "
            "result back and leaves every other pixel as it was.",
            search_aliases=[
                "inpaint",
                "mask",
                "crop and stitch",
                "repaint",
                "detailer",
                "face",
                "remove object",
                *IN_CHINESE["ZImageInpaint"],
            ],
            inputs=[
                io.Image.Input("image", tooltip="The picture to repair or change, of any size."),
                io.Mask.Input(
                    "mask",
                    tooltip="What to repaint: from the mask editor of Load Image, or any mask. Grey counts from one "
                    "half up; another size is stretched.",
                ),
                io.Vae.Input("vae", display_name="VAE", tooltip=VAE_INPUT),
                io.Int.Input(
                    "grow",
                    default=8,
                    min=-256,
                    max=256,
                    tooltip="Pixels of the picture by which the mask grows on all sides before painting; negative "
                    "shrinks it.",
                ),
                io.Int.Input(
                    "feather",
                    default=16,
                    min=0,
                    max=256,
                    tooltip="Pixels over which the new picture fades into the old one, outside the grown mask; 0 is "
                    "a hard edge.",
                ),
                megapixels_input("at which the region is painted before it goes back at its own size"),
                io.Combo.Input(
                    "fill",
                    options=list(FILLS),
                    default="original",
                    tooltip="What lies under the mask before painting: original keeps it, surroundings lets their "
                    "colours flow in, which removes things better, grey hides it. Matters most below img2img "
                    "strength 1.",
                ),
                context_input(),
            ],
            outputs=outputs(),
        )

    @classmethod
    def execute(cls, image, mask, vae, grow, feather, megapixels, fill, context) -> io.NodeOutput:
        latent, stitch, region = regions.inpaint(
            image, mask, vae, grow=grow, feather=feather, megapixels=megapixels, fill=fill, context=context
        )
        note = picture_notes.inpaint_note(image, mask, latent["noise_mask"])
        return io.NodeOutput(latent, stitch, region, ui=ui.PreviewText(note) if note else None)


def margin_input(side: str) -> io.Input:
    return io.Int.Input(
        side,
        default=0,
        min=0,
        max=SIDE_MAX,
        step=8,
        tooltip=f"Pixels to add at the {side}, where the ratio is by pixels.",
    )


class ZImageOutpaint(io.ComfyNode):
    """Enlarges the canvas; crops and encodes the new part."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZImageOutpaint",
            display_name="Z-Image Outpaint",
            category=CATEGORY,
            description="Enlarges a picture's canvas by pixels or to a ratio and prepares the new part for painting; "
            "Z-Image Stitch puts the result together.",
            search_aliases=[
                "outpaint",
                "extend",
                "uncrop",
                "expand canvas",
                "pad image",
                "aspect ratio",
                *IN_CHINESE["ZImageOutpaint"],
            ],
            inputs=[
                io.Image.Input("image", tooltip="The picture to continue beyond its edge, of any size."),
                io.Vae.Input("vae", display_name="VAE", tooltip=VAE_INPUT),
                io.Combo.Input(
                    "ratio",
                    options=[BY_PIXELS, *RATIOS],
                    default="16:9",
                    tooltip="Width to height of the new canvas; the side that is too short grows and nothing is cut. "
                    "By pixels takes the four numbers below instead.",
                ),
                *(margin_input(side) for side in ("left", "top", "right", "bottom")),
                megapixels_input("at which the new part and its surroundings are painted"),
                io.Int.Input(
                    "feather",
                    default=32,
                    min=0,
                    max=256,
                    advanced=True,
                    tooltip="Pixels of the old picture, along its edge, over which the new one fades into it.",
                ),
                io.Combo.Input(
                    "anchor",
                    options=list(ANCHORS),
                    default="middle",
                    advanced=True,
                    tooltip="Where the old picture lies on a canvas enlarged to a ratio.",
                ),
                context_input(),
            ],
            outputs=outputs(),
        )

    @classmethod
    def execute(
        cls, image, vae, ratio, left, top, right, bottom, megapixels, feather, anchor, context
    ) -> io.NodeOutput:
        is_by_pixels = ratio == BY_PIXELS
        target = Margins(left=left, top=top, right=right, bottom=bottom) if is_by_pixels else RATIOS[ratio]
        latent, stitch, region = regions.outpaint(
            image, vae, target=target, anchor=anchor, feather=feather, context=context, megapixels=megapixels
        )
        note = "" if latent["noise_mask"].any() else NOTHING_NEW
        return io.NodeOutput(latent, stitch, region, ui=ui.PreviewText(note) if note else None)


class ZImageStitch(io.ComfyNode):
    """Pastes a repainted region back into its image."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZImageStitch",
            display_name="Z-Image Stitch",
            category=CATEGORY,
            description="Puts a repainted region back into its picture; every pixel outside the mask stays exactly as "
            "it was.",
            search_aliases=[
                "stitch",
                "paste",
                "composite",
                "uncrop",
                "colour match",
                "color match",
                "seam",
                *IN_CHINESE["ZImageStitch"],
            ],
            inputs=[
                io.Image.Input("image", tooltip="The painted region, from Z-Image VAE Decode, or several as a batch."),
                STITCH.Input("stitch", tooltip="From the Z-Image Inpaint, Outpaint or Detail that cut it out."),
                io.Float.Input(
                    "colour_match",
                    display_name="colour match",
                    default=1.0,
                    min=0.0,
                    max=1.0,
                    step=0.05,
                    tooltip="How far to take the region's brightness and contrast back to the original's, measured "
                    "where both show the same; 0 is off.",
                ),
            ],
            outputs=[
                io.Image.Output(
                    display_name="image",
                    is_output_list=True,
                    tooltip="The whole picture, one for each painted region; the parts of Z-Image Detail go into one.",
                )
            ],
            is_input_list=True,
        )

    @classmethod
    def execute(cls, image, stitch, colour_match) -> io.NodeOutput:
        pictures, note = regions.stitch_all(image, stitch, colour_match[0])
        return io.NodeOutput(pictures, ui=ui.PreviewText(note) if note else None)


NODES: list[type[io.ComfyNode]] = [ZImageImageToImage, ZImageInpaint, ZImageOutpaint, ZImageStitch]
