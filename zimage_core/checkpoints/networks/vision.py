"""The vision encoder (SigLIP 2) in files: its name there, its key layouts, its widths, and its look-alikes."""

from math import isqrt

from ...config import VisionConfig, vision_heads
from ...vision import Siglip2
from .key_layout import KeyLayout, Rename
from .network_spec import NetworkSpec
from .shapes import Shapes, count_blocks, ffn_width
from .signature import FileSignature

USE_SIGLIP2 = "Z-Image looks at pictures with SigLIP 2 NaFlex: use siglip2_so400m_patch16_naflex.safetensors"

VISION_TRANSFORMERS = KeyLayout("transformers", unique_key="vision_model.embeddings.patch_embedding.weight")

VISION_TRANSFORMERS_5 = KeyLayout(  # as transformers 5 saves the vision encoder by itself
    "transformers 5",
    unique_key="embeddings.patch_embedding.weight",
    rules=tuple(
        Rename(f"{name}.*", f"vision_model.{name}.*") for name in ("embeddings", "encoder", "post_layernorm", "head")
    ),
)

PATCHES = "embeddings.patch_embedding.weight"  # a matrix in SigLIP 2 NaFlex, a convolution of 3 channels elsewhere
CLIP_WIDTHS = ((1024, "ViT-L"), (1280, "ViT-H"), (1664, "ViT-bigG"))

# Vision encoders whose tensors have SigLIP 2 NaFlex's names but other shapes.
LOOK_ALIKES = (
    FileSignature(
        ("vision_model.", "text_model."),
        "a whole CLIP or SigLIP, picture and text side",
        "clip_vision",
        USE_SIGLIP2,
        (PATCHES, 1, 3),
    ),
    *(
        FileSignature(
            ("embeddings.class_embedding",),
            f"a CLIP {name} vision encoder",
            "clip_vision",
            USE_SIGLIP2,
            ("post_layernorm.weight", 0, width),
        )
        for width, name in CLIP_WIDTHS
    ),
    FileSignature(("embeddings.class_embedding", PATCHES), "a CLIP vision encoder", "clip_vision", USE_SIGLIP2),
    *(
        FileSignature(
            (),
            f"a SigLIP vision encoder for squares of one size (patch{patch})",
            "clip_vision",
            USE_SIGLIP2,
            (PATCHES, 2, patch),
        )
        for patch in (14, 16, 32)
    ),
)


def read_config(shapes: Shapes) -> VisionConfig:
    """Widths of a SigLIP 2 vision encoder; the number of heads is that of the published widths."""
    dim, patch_dim = shapes["vision_model.embeddings.patch_embedding.weight"].shape
    mlp = "vision_model.encoder.layers.0.mlp."
    return VisionConfig(
        dim=dim,
        n_layers=count_blocks(shapes, "vision_model.encoder.layers"),
        n_heads=vision_heads(dim),
        ffn_dim=ffn_width(shapes, mlp + "fc1.weight", mlp + "fc2.weight"),
        n_positions=len(shapes["vision_model.embeddings.position_embedding.weight"]),
        patch_size=isqrt(patch_dim // 3),
    )


VISION = NetworkSpec(
    name="vision encoder (SigLIP 2)",
    folder="clip_vision",
    subfolder="siglip",
    example="siglip2_so400m_patch16_naflex.safetensors",
    name_hints=("siglip2", "naflex"),
    nano_file="siglip/vision.safetensors",
    prefixes=("vision_tower.", "clip_vision.", "siglip.", ""),
    layouts=(VISION_TRANSFORMERS, VISION_TRANSFORMERS_5),
    block_lists=("vision_model.encoder.layers", "encoder.layers"),
    ignored=("vision_model.head.", "text_model.", "logit_"),
    look_alikes=LOOK_ALIKES,
    read_config=read_config,
    build=Siglip2,
)
