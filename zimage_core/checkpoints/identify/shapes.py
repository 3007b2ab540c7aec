"""Network widths read from tensor shapes: a test model, the built-in nano and the 6B load through the same code.

What no shape tells is a default of the config classes: norm epsilons, rope bases, the latent's scale and shift.
"""

import re
from collections.abc import Collection, Mapping
from math import isqrt

from torch import Tensor

from ...config import ControlConfig, DiTConfig, TextConfig, VAEConfig, VisionConfig, vision_heads

State = Mapping[str, Tensor]

PLAIN_PATCH = 64  # values in a patch of 1.0, which has the picture's channels alone
SIGLIP_NORM = "siglip_embedder.0.weight"  # only Omni and Edit have it


def dit_config(state: State) -> DiTConfig:
    """Widths of a diffusion transformer in our own layout."""
    dim, patch_dim = state["x_embedder.weight"].shape
    time_hidden_dim, _ = state["t_embedder.mlp.0.weight"].shape
    return DiTConfig(
        dim=dim,
        n_layers=count(state, "layers"),
        n_refiner_layers=count(state, "noise_refiner"),
        n_heads=dim // len(state["layers.0.attention.q_norm.weight"]),
        # block formats fill up the outer side of a matrix, so w1's rows or w2's columns may be too many
        ffn_dim=min(len(state["layers.0.feed_forward.w1.weight"]), state["layers.0.feed_forward.w2.weight"].shape[1]),
        cap_feat_dim=len(state["cap_embedder.0.weight"]),
        time_hidden_dim=time_hidden_dim,
        adaln_dim=len(state["t_embedder.mlp.2.weight"]),
        siglip_feat_dim=len(state[SIGLIP_NORM]) if SIGLIP_NORM in state else None,
        in_channels=patch_dim // 4,
    )


def control_config(state: State) -> ControlConfig:
    """Widths of a Fun ControlNet; `load.used_control` looks at its numbers too, which can tell 2.0 from 2.1."""
    dim, patch_dim = state["control_x_embedder.weight"].shape
    first = "control_layers.0."
    is_hinting = all(f"control_noise_refiner.0.{name}_proj.weight" in state for name in ("before", "after"))
    own = "control_noise_refiner" if is_hinting else "plain" if patch_dim == PLAIN_PATCH else "control_layers"
    return ControlConfig(
        dim=dim,
        n_layers=count(state, "control_layers"),
        n_refiner_layers=0 if own == "control_layers" else count(state, "control_noise_refiner"),
        n_heads=dim // len(state[first + "attention.q_norm.weight"]),
        ffn_dim=min(len(state[first + "feed_forward.w1.weight"]), state[first + "feed_forward.w2.weight"].shape[1]),
        adaln_dim=state[first + "adaLN_modulation.0.weight"].shape[1],
        in_channels=patch_dim // 4,
        refiner=own,
    )


def text_config(state: State) -> TextConfig:
    """Widths of a Qwen3 decoder."""
    vocab_size, dim = state["model.embed_tokens.weight"].shape
    first = "model.layers.0."
    head_dim = len(state[first + "self_attn.q_norm.weight"])
    return TextConfig(
        vocab_size=vocab_size,
        dim=dim,
        n_layers=count(state, "model.layers"),
        n_heads=len(state[first + "self_attn.q_proj.weight"]) // head_dim,
        n_kv_heads=len(state[first + "self_attn.k_proj.weight"]) // head_dim,
        head_dim=head_dim,
        ffn_dim=len(state[first + "mlp.gate_proj.weight"]),
    )


def vae_config(state: State) -> VAEConfig:
    """Widths of an autoencoder in our own layout."""
    return VAEConfig(
        encoder_widths=_stage_widths(state, "encoder.down"),
        decoder_widths=_stage_widths(state, "decoder.up"),
        encoder_blocks=count(state, "encoder.down.0.block"),
        decoder_blocks=count(state, "decoder.up.0.block"),
        latent_channels=state["decoder.conv_in.weight"].shape[1],
    )


def vision_config(state: State) -> VisionConfig:
    """Widths of a SigLIP 2 tower; its heads are those of its published sizes."""
    dim, patch_dim = state["vision_model.embeddings.patch_embedding.weight"].shape
    mlp = "vision_model.encoder.layers.0.mlp."
    return VisionConfig(
        dim=dim,
        n_layers=count(state, "vision_model.encoder.layers"),
        n_heads=vision_heads(dim),
        ffn_dim=min(len(state[mlp + "fc1.weight"]), state[mlp + "fc2.weight"].shape[1]),
        n_positions=len(state["vision_model.embeddings.position_embedding.weight"]),
        patch_size=isqrt(patch_dim // 3),
    )


def count(names: Collection[str], prefix: str) -> int:
    """How many numbered modules stand below a prefix."""
    pattern = re.compile(re.escape(prefix) + r"\.(\d+)\.")
    return len({match[1] for key in names if (match := pattern.match(key))})


def _stage_widths(state: State, prefix: str) -> tuple[int, ...]:
    return tuple(len(state[f"{prefix}.{level}.block.0.conv1.weight"]) for level in range(count(state, prefix)))
