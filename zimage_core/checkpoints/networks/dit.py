"""The diffusion transformer (S3-DiT) in files: its name there, its key layouts, its widths."""

from ...config import DiTConfig
from ...model import S3DiT
from .key_layout import Concat, KeyLayout, Rename, Rule
from .network_spec import NetworkSpec
from .shapes import Shapes, count_blocks, ffn_width

SIGLIP_NORM = "siglip_embedder.0.weight"  # only Omni and Edit have it

ATTENTION_DIFFUSERS: tuple[Rule, ...] = (
    Rename("*.attention.norm_q.weight", "*.attention.q_norm.weight"),
    Rename("*.attention.norm_k.weight", "*.attention.k_norm.weight"),
    Rename("*.attention.to_out.0.*", "*.attention.out.*"),
    Concat(("*.attention.to_q.*", "*.attention.to_k.*", "*.attention.to_v.*"), "*.attention.qkv.*"),
)

DIT_SINGLE_FILE = KeyLayout("single file", unique_key="layers.0.attention.qkv.weight")

DIT_DIFFUSERS = KeyLayout(
    "diffusers",
    unique_key="layers.0.attention.to_q.weight",
    rules=(
        Rename("all_x_embedder.2-1.*", "x_embedder.*"),
        Rename("all_final_layer.2-1.*", "final_layer.*"),
        *ATTENTION_DIFFUSERS,
    ),
)


def read_config(shapes: Shapes) -> DiTConfig:
    """Widths of a diffusion transformer."""
    dim, patch_dim = shapes["x_embedder.weight"].shape
    time_hidden_dim, _ = shapes["t_embedder.mlp.0.weight"].shape
    return DiTConfig(
        dim=dim,
        n_layers=count_blocks(shapes, "layers"),
        n_refiner_layers=count_blocks(shapes, "noise_refiner"),
        n_heads=dim // len(shapes["layers.0.attention.q_norm.weight"]),
        ffn_dim=ffn_width(shapes, "layers.0.feed_forward.w1.weight", "layers.0.feed_forward.w2.weight"),
        cap_feat_dim=len(shapes["cap_embedder.0.weight"]),
        time_hidden_dim=time_hidden_dim,
        adaln_dim=len(shapes["t_embedder.mlp.2.weight"]),
        siglip_feat_dim=len(shapes[SIGLIP_NORM]) if SIGLIP_NORM in shapes else None,
        in_channels=patch_dim // 4,
    )


DIT = NetworkSpec(
    name="diffusion model",
    folder="diffusion_models",
    gguf_folder="unet_gguf",
    subfolder="transformer",
    example="z_image_turbo_bf16.safetensors",
    name_hints=("z_image", "z-image", "zimage"),
    nano_file="transformer/diffusion_model.safetensors",
    prefixes=("model.diffusion_model.", "diffusion_model.", "model.", "transformer.", ""),
    layouts=(DIT_SINGLE_FILE, DIT_DIFFUSERS),
    block_lists=("layers",),
    ignored=("norm_final.weight",),
    read_config=read_config,
    build=S3DiT,
)
