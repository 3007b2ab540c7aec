"""The text encoder (Qwen3) in files: its name there, its key layouts, its widths."""

from ...config import TextConfig
from ...text import Qwen3
from .key_layout import KeyLayout, Rename
from .network_spec import NetworkSpec
from .shapes import Shapes, count_blocks

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


def read_config(shapes: Shapes) -> TextConfig:
    """Widths of a Qwen3 decoder."""
    vocab_size, dim = shapes["model.embed_tokens.weight"].shape
    first = "model.layers.0."
    head_dim = len(shapes[first + "self_attn.q_norm.weight"])
    return TextConfig(
        vocab_size=vocab_size,
        dim=dim,
        n_layers=count_blocks(shapes, "model.layers"),
        n_heads=len(shapes[first + "self_attn.q_proj.weight"]) // head_dim,
        n_kv_heads=len(shapes[first + "self_attn.k_proj.weight"]) // head_dim,
        head_dim=head_dim,
        ffn_dim=len(shapes[first + "mlp.gate_proj.weight"]),
    )


def last_layer(config: TextConfig) -> tuple[str, ...]:
    """The keys of the last layer, which never runs: prompt embeddings are the hidden state before it."""
    return (f"model.layers.{config.n_layers_run}.",)


TEXT_ENCODER = NetworkSpec(
    name="text encoder",
    folder="text_encoders",
    gguf_folder="clip_gguf",
    subfolder="text_encoder",
    example="qwen_3_4b.safetensors",
    name_hints=("qwen_3_4b", "qwen3"),
    nano_file="text_encoder/model.safetensors",
    prefixes=("text_encoders.qwen3_4b.transformer.", "text_encoder.", ""),
    layouts=(TEXT_TRANSFORMERS, TEXT_LLAMA_CPP),
    block_lists=("model.layers", "blk"),
    ignored=("lm_head.weight", "model.norm.weight"),
    read_config=read_config,
    unused=last_layer,
    build=Qwen3,
)
