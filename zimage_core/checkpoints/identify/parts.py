"""The networks of the family, and how files carry them: under which prefix, in which layout."""

from collections.abc import Collection
from dataclasses import dataclass

from .layouts import (
    CONTROL_FUSED,
    CONTROL_PUBLISHED,
    DIT_DIFFUSERS,
    DIT_SINGLE_FILE,
    TEXT_LLAMA_CPP,
    TEXT_PUBLISHED,
    VAE_DIFFUSERS,
    VAE_SINGLE_FILE,
    VISION_BARE,
    VISION_PUBLISHED,
    Layout,
)


@dataclass(frozen=True, kw_only=True)
class Part:
    """One network of the family and how files carry it."""

    name: str
    folder: str  # ComfyUI's models folder
    subfolder: str  # diffusers' folder inside a pipeline's
    example: str  # the file name artists know
    prefixes: tuple[str, ...]  # longest first
    layouts: tuple[Layout, ...]
    depths: tuple[str, ...]  # names below which its layers are numbered
    ignored: tuple[str, ...] = ()  # keys some files carry and the network does not use

    def locate(self, keys: Collection[str]) -> tuple[str, Layout] | None:
        """The prefix and layout under which `keys` hold this part, or None."""
        for prefix in self.prefixes:
            for layout in self.layouts:
                if prefix + layout.marker in keys:
                    return prefix, layout
        return None


DIT = Part(
    name="diffusion model",
    folder="diffusion_models",
    subfolder="transformer",
    example="z_image_turbo_bf16.safetensors",
    prefixes=("model.diffusion_model.", "diffusion_model.", "model.", "transformer.", ""),
    layouts=(DIT_SINGLE_FILE, DIT_DIFFUSERS),
    depths=("layers",),
    ignored=("norm_final.weight",),
)

TEXT_ENCODER = Part(
    name="text encoder",
    folder="text_encoders",
    subfolder="text_encoder",
    example="qwen_3_4b.safetensors",
    prefixes=("text_encoders.qwen3_4b.transformer.", "text_encoder.", ""),
    layouts=(TEXT_PUBLISHED, TEXT_LLAMA_CPP),
    depths=("model.layers", "blk"),
    ignored=("lm_head.weight", "model.norm.weight"),
)

VAE = Part(
    name="autoencoder (VAE)",
    folder="vae",
    subfolder="vae",
    example="ae.safetensors",
    prefixes=("first_stage_model.", "vae.", ""),
    layouts=(VAE_SINGLE_FILE, VAE_DIFFUSERS),
    depths=("decoder.up", "decoder.up_blocks"),
)

CONTROL = Part(
    name="ControlNet",
    folder="model_patches",
    subfolder="controlnet",
    example="Z-Image-Turbo-Fun-Controlnet-Union-2.1.safetensors",
    prefixes=("control_model.", ""),
    layouts=(CONTROL_PUBLISHED, CONTROL_FUSED),
    depths=("control_layers",),
)

VISION = Part(
    name="vision encoder (SigLIP 2)",
    folder="clip_vision",
    subfolder="siglip",
    example="siglip2_so400m_patch16_naflex.safetensors",
    prefixes=("vision_tower.", "clip_vision.", "siglip.", ""),
    layouts=(VISION_PUBLISHED, VISION_BARE),
    depths=("vision_model.encoder.layers", "encoder.layers"),
    ignored=("vision_model.head.", "text_model.", "logit_"),
)

PARTS = (DIT, TEXT_ENCODER, VAE, VISION)
