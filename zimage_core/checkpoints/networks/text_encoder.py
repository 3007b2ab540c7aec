"""The text encoder (Qwen3) in files: its name there, its key layouts, its widths."""

from collections.abc import Mapping, Sequence

from ...config import NANO_TEXT, QWEN3_4B, TextConfig
from ...text import Qwen3
from .key_layout import KeyLayout, Rename
from .network_spec import NetworkSpec
from .shapes import Depth, Shapes, count_blocks

TEXT_TRANSFORMERS = KeyLayout("transformers", unique_key="model.layers.0.self_attn.q_norm.weight")

TEXT_LLAMA_CPP = KeyLayout(  # gguf-py, tensor_mapping.py; Qwen3's q and k are stored without llama.cpp's permutation
    "llama.cpp",
    unique_key="blk.0.attn_q_norm.weight",
    rules=(
        Rename("token_embd.*", "model.embed_tokens.*"),
        Rename("output_norm.*", "model.norm.*"),
        Rename("output.*", "lm_head.*"),
        Rename("blk.*.attn_norm.*", "model.layers.*.input_layernorm.*"),
        Rename("blk.*.ffn_norm.*", "model.layers.*.post_attention_layernorm.*"),
        *(Rename(f"blk.*.attn_{name}_norm.*", f"model.layers.*.self_attn.{name}_norm.*") for name in "qk"),
        *(Rename(f"blk.*.attn_{name}.*", f"model.layers.*.self_attn.{name}_proj.*") for name in "qkv"),
        Rename("blk.*.attn_output.*", "model.layers.*.self_attn.o_proj.*"),
        *(Rename(f"blk.*.ffn_{name}.*", f"model.layers.*.mlp.{name}_proj.*") for name in ("gate", "up", "down")),
    ),
)


FINAL_NORM = "model.norm.weight"
PUBLISHED: dict[tuple[int, ...], int] = {
    (config.dim, config.ffn_dim): config.n_layers for config in (QWEN3_4B, NANO_TEXT)
}


def depth(sizes: Mapping[str, Sequence[int]]) -> Depth:
    """Layers found, and those of the whole network: published by width, else told by the final norm.

    The last layer and the final norm never run, so our CLIP has neither, nor has a file that ComfyUI saves of it.
    Counting layers alone would leave out one more at every round of saving and loading.
    """
    found = count_blocks(sizes, "model.layers")
    widths = (sizes.get(f"model.layers.0.{name}.weight", ())[:1] for name in ("input_layernorm", "mlp.gate_proj"))
    published = PUBLISHED.get(tuple(width for size in widths for width in size))
    return Depth(found, published or (found if FINAL_NORM in sizes else found + 1))


def read_config(shapes: Shapes) -> TextConfig:
    """Widths of a Qwen3 decoder."""
    vocab_size, dim = shapes["model.embed_tokens.weight"].shape
    first = "model.layers.0."
    head_dim = len(shapes[first + "self_attn.q_norm.weight"])
    return TextConfig(
        vocab_size=vocab_size,
        dim=dim,
        n_layers=depth({key: tensor.shape for key, tensor in shapes.items()}).whole,
        n_heads=len(shapes[first + "self_attn.q_proj.weight"]) // head_dim,
        n_kv_heads=len(shapes[first + "self_attn.k_proj.weight"]) // head_dim,
        head_dim=head_dim,
        ffn_dim=len(shapes[first + "mlp.gate_proj.weight"]),
    )


def never_run(config: TextConfig) -> tuple[str, ...]:
    """The keys of the last layer and the final norm: prompt embeddings are the hidden state before them."""
    return f"model.layers.{config.n_layers_run}.", FINAL_NORM


TEXT_ENCODER = NetworkSpec(
    name="text encoder",
    folder="text_encoders",
    gguf_folder="clip_gguf",
    subfolder="text_encoder",
    example="qwen_3_4b.safetensors",
    name_hints=("qwen_3_4b", "qwen3"),
    nano_file="text_encoder/model.safetensors",
    prefixes=("text_encoders.qwen3_4b.transformer.", "qwen3_4b.transformer.", "text_encoder.", ""),
    layouts=(TEXT_TRANSFORMERS, TEXT_LLAMA_CPP),
    block_lists=("model.layers", "blk"),
    ignored=("lm_head.weight",),
    depth=depth,
    read_config=read_config,
    unused=never_run,
    build=Qwen3,
)
