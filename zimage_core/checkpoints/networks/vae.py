"""The autoencoder in files: its name there, its key layouts, its widths."""

from ...config import VAEConfig
from ...vae import Autoencoder
from .key_layout import KeyLayout, MatrixToConv1x1, Rename
from .network_spec import NetworkSpec
from .shapes import Shapes, count_blocks

VAE_SINGLE_FILE = KeyLayout("single file", unique_key="decoder.up.0.block.0.norm1.weight")

VAE_DIFFUSERS = KeyLayout(
    "diffusers",
    unique_key="decoder.up_blocks.0.resnets.0.norm1.weight",
    rules=(
        *(Rename(f"*.mid_block.resnets.{index}.*", f"*.mid.block_{index + 1}.*") for index in range(2)),
        Rename("*.mid_block.attentions.0.group_norm.*", "*.mid.attn_1.norm.*"),
        Rename("*.mid_block.attentions.0.to_out.0.*", "*.mid.attn_1.proj_out.*"),
        *(Rename(f"*.mid_block.attentions.0.to_{name}.*", f"*.mid.attn_1.{name}.*") for name in "qkv"),
        *(MatrixToConv1x1(f"*.mid.attn_1.{name}.weight") for name in ("q", "k", "v", "proj_out")),
        Rename("encoder.down_blocks.*", "encoder.down.*"),
        *(Rename(f"decoder.up_blocks.{3 - level}.*", f"decoder.up.{level}.*") for level in range(4)),
        Rename("*.resnets.*", "*.block.*"),
        Rename("*.downsamplers.0.conv.*", "*.downsample.conv.*"),
        Rename("*.upsamplers.0.conv.*", "*.upsample.conv.*"),
        Rename("*.conv_shortcut.*", "*.nin_shortcut.*"),
        Rename("*.conv_norm_out.*", "*.norm_out.*"),
    ),
)


def read_config(shapes: Shapes) -> VAEConfig:
    """Widths of an autoencoder."""
    return VAEConfig(
        encoder_widths=_level_widths(shapes, "encoder.down"),
        decoder_widths=_level_widths(shapes, "decoder.up"),
        encoder_blocks=count_blocks(shapes, "encoder.down.0.block"),
        decoder_blocks=count_blocks(shapes, "decoder.up.0.block"),
        latent_channels=shapes["decoder.conv_in.weight"].shape[1],
    )


def _level_widths(shapes: Shapes, prefix: str) -> tuple[int, ...]:
    return tuple(len(shapes[f"{prefix}.{level}.block.0.conv1.weight"]) for level in range(count_blocks(shapes, prefix)))


VAE = NetworkSpec(
    name="autoencoder (VAE)",
    folder="vae",
    subfolder="vae",
    example="ae.safetensors",
    name_hints=("ae.",),
    nano_file="vae/vae.safetensors",
    prefixes=("first_stage_model.", "vae.", ""),
    layouts=(VAE_SINGLE_FILE, VAE_DIFFUSERS),
    block_lists=("decoder.up", "decoder.up_blocks"),
    read_config=read_config,
    build=Autoencoder,
)
