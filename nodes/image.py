"""VAE encoding and decoding, and saving."""

from comfy_api.latest import io, ui

from .bridge.loading import picture_notes
from .bridge.page import saved_picture
from .bridge.tasks import images
from .chinese_words import IN_CHINESE
from .sampler_inputs import VAE_INPUT

CATEGORY = "Z-Image/image"


class ZImageVAEEncode(io.ComfyNode):
    """Encodes an image, for image to image."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZImageVAEEncode",
            display_name="Z-Image VAE Encode",
            category=CATEGORY,
            description="Turns a picture into a latent to start from, cropping its sides to multiples of 16 pixels.",
            search_aliases=["vae encode", "image to image", "img2img", "encode", *IN_CHINESE["ZImageVAEEncode"]],
            inputs=[
                io.Image.Input("image", tooltip="The picture to start from; its transparency is ignored."),
                io.Vae.Input(
                    "vae",
                    display_name="VAE",
                    tooltip=VAE_INPUT,
                ),
            ],
            outputs=[
                io.Latent.Output(
                    display_name="latent", tooltip="The encoded picture; sample it with an img2img strength below 1."
                )
            ],
        )

    @classmethod
    def execute(cls, image, vae) -> io.NodeOutput:
        latent = images.encode(vae, image)
        note = picture_notes.size_note(image, latent, "cropped")
        return io.NodeOutput(latent, ui=ui.PreviewText(note) if note else None)


class ZImageVAEDecode(io.ComfyNode):
    """Decodes a latent."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZImageVAEDecode",
            display_name="Z-Image VAE Decode",
            category=CATEGORY,
            description="Turns a finished latent into a picture, and manages with less by itself when memory is short.",
            search_aliases=["vae decode", "latent to image", "decode", "tiled", *IN_CHINESE["ZImageVAEDecode"]],
            inputs=[
                io.Latent.Input("latent", tooltip="A finished latent from a sampler."),
                io.Vae.Input(
                    "vae",
                    display_name="VAE",
                    tooltip=VAE_INPUT,
                ),
                io.Int.Input(
                    "tile_size",
                    display_name="tile size",
                    default=0,
                    min=0,
                    max=4096,
                    step=64,
                    advanced=True,
                    tooltip="Decode with the memory of a picture this many pixels wide, at least 256; 0 decides by "
                    "itself. With Z-Image Load VAE the picture stays the same; with a stock VAE the tiles change "
                    "colours a little.",
                ),
            ],
            outputs=[io.Image.Output(display_name="image", tooltip="The picture.")],
        )

    @classmethod
    def execute(cls, latent, vae, tile_size: int) -> io.NodeOutput:
        return io.NodeOutput(images.decode(vae, latent, tile_size))


class ZImageSaveImage(io.ComfyNode):
    """Saves pictures as ComfyUI's Save Image does, with the text that sites read settings from."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZImageSaveImage",
            display_name="Z-Image Save Image",
            category=CATEGORY,
            description="Saves PNG files like Save Image, with prompt and settings as CivitAI and A1111 read them.",
            search_aliases=["save", "save image", "civitai", "a1111", "metadata", *IN_CHINESE["ZImageSaveImage"]],
            inputs=[
                io.Image.Input("images", tooltip="The pictures to save; a batch becomes several files."),
                io.String.Input(
                    "filename_prefix",
                    display_name="filename prefix",
                    default="ComfyUI",
                    tooltip="Folder and name inside ComfyUI's output folder; a number is added, so nothing is "
                    "overwritten. %date:yyyy-MM-dd% and other values of nodes work as in Save Image.",
                ),
                io.Boolean.Input(
                    "parameters",
                    default=True,
                    tooltip="Also write prompt, seed, settings and the hashes of model and LoRAs as text that CivitAI, "
                    "A1111 and picture managers read. A model file is read once for its hash.",
                ),
            ],
            outputs=[io.Image.Output(display_name="images", tooltip="The same pictures.")],
            hidden=[io.Hidden.prompt, io.Hidden.extra_pnginfo, io.Hidden.unique_id],
            is_output_node=True,
        )

    @classmethod
    def execute(cls, images, filename_prefix: str, parameters: bool) -> io.NodeOutput:
        saved = saved_picture.save(images, filename_prefix, cls.hidden, with_parameters=parameters)
        return io.NodeOutput(images, ui=ui.SavedImages(saved))


NODES: list[type[io.ComfyNode]] = [ZImageVAEEncode, ZImageVAEDecode, ZImageSaveImage]
