"""What a file is: which part of the model family it holds, under which prefix, in which layout."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from torch import Tensor

from .files import CheckpointError
from .layouts import DIT_DIFFUSERS, DIT_SINGLE_FILE, TEXT_PUBLISHED, VAE_DIFFUSERS, VAE_SINGLE_FILE, Layout


@dataclass(frozen=True, kw_only=True)
class Part:
    """One network of the family and how files carry it."""

    name: str
    folder: str  # ComfyUI's models folder
    example: str  # the file name artists know
    prefixes: tuple[str, ...]  # longest first
    layouts: tuple[Layout, ...]
    ignored: tuple[str, ...] = ()  # keys some files carry and the network does not use

    def locate(self, keys: Collection[str]) -> tuple[str, Layout] | None:
        """The prefix and layout under which `keys` hold this part, or None."""
        for prefix in self.prefixes:
            for layout in self.layouts:
                if prefix + layout.marker in keys:
                    return prefix, layout
        return None

    def extract(self, state: Mapping[str, Tensor], source: str) -> dict[str, Tensor]:
        """This part of a state dict under our own names; a `CheckpointError` names what `source` is instead."""
        located = self.locate(state)
        if located is None:
            raise CheckpointError(
                f"{source} is {describe(state)}, not a Z-Image {self.name}; "
                f"choose a file like {self.example} from models/{self.folder}"
            )
        prefix, layout = located
        inside = {key.removeprefix(prefix): tensor for key, tensor in state.items() if key.startswith(prefix)}
        return {key: tensor for key, tensor in layout.to_ours(inside).items() if key not in self.ignored}


DIT = Part(
    name="diffusion model",
    folder="diffusion_models",
    example="z_image_turbo_bf16.safetensors",
    prefixes=("model.diffusion_model.", "diffusion_model.", "model.", "transformer.", ""),
    layouts=(DIT_SINGLE_FILE, DIT_DIFFUSERS),
    ignored=("norm_final.weight",),
)

TEXT_ENCODER = Part(
    name="text encoder",
    folder="text_encoders",
    example="qwen_3_4b.safetensors",
    prefixes=("text_encoders.qwen3_4b.transformer.", "text_encoder.", ""),
    layouts=(TEXT_PUBLISHED,),
    ignored=("lm_head.weight", "model.norm.weight"),
)

VAE = Part(
    name="autoencoder (VAE)",
    folder="vae",
    example="ae.safetensors",
    prefixes=("first_stage_model.", "vae.", ""),
    layouts=(VAE_SINGLE_FILE, VAE_DIFFUSERS),
)

# Keys that give away what artists pick by mistake; the first match names the file.
STRANGERS: tuple[tuple[str, str], ...] = (
    ("control_all_x_embedder", "a Z-Image ControlNet"),
    ("lora_down", "a LoRA"),
    ("lora_up", "a LoRA"),
    ("lora_A", "a LoRA"),
    ("lokr_w1", "a LoKr"),
    ("hada_w1", "a LoHa"),
    ("dec_net.", "a pixel-space relative of Z-Image"),
    ("local_decoder.", "a pixel-space relative of Z-Image"),
    ("cap_embedder.1.weight", "a Lumina-type model"),
    ("double_blocks.0.", "a FLUX-type diffusion model"),
    ("joint_blocks.0.", "a Stable Diffusion 3 model"),
    ("transformer_blocks.0.img_mlp", "a Qwen-Image model"),
    ("input_blocks.0.", "a Stable Diffusion model"),
    ("model.visual.", "a vision-language model"),
    ("visual.", "a vision-language model"),
    ("vision_model.", "a vision encoder"),
    ("text_model.", "a CLIP text encoder"),
    ("encoder.block.0.layer.0.", "a T5 text encoder"),
    ("self_attn.q_proj", "another language model"),
    ("decoder.conv_in", "another autoencoder"),
)


def describe(keys: Collection[str]) -> str:
    """What a file with these keys seems to be, in a few words with an article."""
    for part in (DIT, TEXT_ENCODER, VAE):
        if part.locate(keys):
            return f"a Z-Image {part.name} (it belongs in models/{part.folder})"
    for marker, name in STRANGERS:
        if any(marker in key for key in keys):
            return name
    return f"an unknown model (its {len(keys)} tensors begin with {min(keys, default='nothing')})"
