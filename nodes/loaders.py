"""Load the networks of Z-Image from the user's files, or the built-in nano."""

import torch
from comfy_api.latest import io, ui

from ..zimage_core.checkpoints import DIT, TEXT_ENCODER, VAE, VISION
from .bridge.loading import files, host, model, repack, text, vae, vision
from .chinese_words import IN_CHINESE

CATEGORY = "Z-Image/loaders"
PRECISIONS = {  # number format, and whether the main layers compute int8 GEMMs
    "automatic": (None, False),
    "bfloat16": (torch.bfloat16, False),
    "float16": (torch.float16, False),
    "float32": (torch.float32, False),
    repack.INT8: (None, True),
}


class ZImageModelLoader(io.ComfyNode):
    """The diffusion model."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZImageModelLoader",
            display_name="Z-Image Load Model",
            category=CATEGORY,
            description="Loads a Z-Image diffusion model: Turbo, base, a fine-tune, or the tiny built-in one.",
            search_aliases=[
                "zit",
                "zimage",
                "turbo",
                "unet",
                "checkpoint",
                "load diffusion model",
                "tongyi",
                *IN_CHINESE["ZImageModelLoader"],
            ],
            inputs=[
                io.Combo.Input(
                    "model_name",
                    display_name="model name",
                    options=files.choices(DIT),
                    default=files.default(DIT),
                    tooltip="A file from models/diffusion_models, such as z_image_turbo_bf16.safetensors, or an "
                    "all-in-one checkpoint. The built-in nano needs no download: it draws one coloured shape at 64x64 "
                    "pixels.",
                ),
                io.Combo.Input(
                    "precision",
                    options=repack.possible(PRECISIONS),
                    default="automatic",
                    advanced=True,
                    tooltip="Number format of the weights. Automatic follows the file and your hardware. "
                    "float16 can turn pictures black; float32 needs twice the memory of bfloat16; int8 needs half of "
                    "bfloat16's, is usually faster, and changes pictures a little.",
                ),
            ],
            outputs=[io.Model.Output(display_name="model", tooltip="The model, for any sampler.")],
        )

    @classmethod
    def validate_inputs(cls, precision: str | None = None) -> bool | str:
        return repack.check_choice(precision, PRECISIONS)

    @classmethod
    def fingerprint_inputs(cls, model_name: str, precision: str) -> str:
        return files.fingerprint(DIT, model_name)

    @classmethod
    def execute(cls, model_name: str, precision: str) -> io.NodeOutput:
        loaded = model.load_model(files.path_of(DIT, model_name), *PRECISIONS[precision])
        refusal = host.int8_refusal() if precision == repack.INT8 else None
        report = f"Loaded as the file is, not in int8, because {refusal}." if refusal else None
        return io.NodeOutput(loaded, ui=ui.PreviewText(report) if report else None)


class ZImageTextEncoderLoader(io.ComfyNode):
    """The text encoder, Qwen3-4B."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZImageTextEncoderLoader",
            display_name="Z-Image Load Text Encoder",
            category=CATEGORY,
            description="Loads Qwen3-4B, which reads prompts for Z-Image, without the layer Z-Image does not use.",
            search_aliases=[
                "clip",
                "qwen",
                "qwen3",
                "text encoder",
                "load clip",
                *IN_CHINESE["ZImageTextEncoderLoader"],
            ],
            inputs=[
                io.Combo.Input(
                    "text_encoder_name",
                    display_name="text encoder name",
                    options=files.choices(TEXT_ENCODER),
                    default=files.default(TEXT_ENCODER),
                    tooltip="A file from models/text_encoders, such as qwen_3_4b.safetensors. "
                    "The built-in nano model needs the built-in nano encoder.",
                ),
            ],
            outputs=[io.Clip.Output(display_name="clip", tooltip="The text encoder, for any text-encode node.")],
        )

    @classmethod
    def fingerprint_inputs(cls, text_encoder_name: str) -> str:
        return files.fingerprint(TEXT_ENCODER, text_encoder_name)

    @classmethod
    def execute(cls, text_encoder_name: str) -> io.NodeOutput:
        tokenizer = files.BUILT_IN_TOKENIZER if text_encoder_name == files.BUILT_IN else None
        path = files.path_of(TEXT_ENCODER, text_encoder_name)
        return io.NodeOutput(text.load_text_encoder(path, tokenizer, files.embeddings_folder()))


class ZImageVAELoader(io.ComfyNode):
    """The autoencoder, FLUX's."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZImageVAELoader",
            display_name="Z-Image Load VAE",
            category=CATEGORY,
            description="Loads the FLUX autoencoder, which turns Z-Image's latents into pictures and back.",
            search_aliases=["vae", "ae", "autoencoder", "flux vae", *IN_CHINESE["ZImageVAELoader"]],
            inputs=[
                io.Combo.Input(
                    "vae_name",
                    display_name="VAE name",
                    options=files.choices(VAE),
                    default=files.default(VAE),
                    tooltip="A file from models/vae: ae.safetensors, the FLUX autoencoder. "
                    "The built-in nano model needs the built-in nano VAE.",
                ),
            ],
            outputs=[io.Vae.Output(display_name="vae", tooltip="The autoencoder, for any VAE node.")],
        )

    @classmethod
    def fingerprint_inputs(cls, vae_name: str) -> str:
        return files.fingerprint(VAE, vae_name)

    @classmethod
    def execute(cls, vae_name: str) -> io.NodeOutput:
        return io.NodeOutput(vae.load_vae(files.path_of(VAE, vae_name)))


class ZImageVisionLoader(io.ComfyNode):
    """The vision encoder of Omni and Edit, SigLIP 2."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZImageVisionLoader",
            display_name="Z-Image Load Vision",
            category=CATEGORY,
            description="Loads SigLIP 2 NaFlex, with which Z-Image Omni and Edit models look at reference pictures.",
            search_aliases=[
                "clip vision",
                "siglip",
                "siglip2",
                "naflex",
                "load clip vision",
                "image encoder",
                *IN_CHINESE["ZImageVisionLoader"],
            ],
            inputs=[
                io.Combo.Input(
                    "vision_name",
                    display_name="vision name",
                    options=files.choices(VISION),
                    default=files.default(VISION),
                    tooltip="A file from models/clip_vision, such as siglip2_so400m_patch16_naflex.safetensors, or the "
                    "siglip folder of a diffusers pipeline. The built-in nano model needs the built-in nano vision.",
                ),
            ],
            outputs=[io.ClipVision.Output(display_name="clip_vision", tooltip="The vision model, for Edit Encode.")],
        )

    @classmethod
    def fingerprint_inputs(cls, vision_name: str) -> str:
        return files.fingerprint(VISION, vision_name)

    @classmethod
    def execute(cls, vision_name: str) -> io.NodeOutput:
        return io.NodeOutput(vision.load_vision(files.path_of(VISION, vision_name)))


NODES: list[type[io.ComfyNode]] = [ZImageModelLoader, ZImageTextEncoderLoader, ZImageVAELoader, ZImageVisionLoader]
