"""Qwen3 as Z-Image's text encoder: every decoder layer but the last, and no final norm.

Letters: b batch, n tokens, d width, h query heads, g key heads, e head width, m = e/2 rotated pairs.

Attribute names are the published keys (`model.layers.0.self_attn.q_proj.weight`). The embeddings are
transformers' `hidden_states[-2]`; they have very large outlier channels, so never store them as float16.
"""

from collections.abc import Sequence

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence
from typing_extensions import Unpack

from .._shapes import Float, Int
from ..attention import attention
from ..config import TextConfig
from ..kernels import select_kernels
from ..ops import TORCH, Factory, Layers, Ops
from .key_value_cache import LayerCache

RopeTable = tuple[Float[Tensor, "n 1 e"], Float[Tensor, "n 1 m"]]  # cosines, for both halves of a head, and sines


class Qwen3(nn.Module):
    """Token ids to the prompt embeddings the diffusion transformer was trained on."""

    def __init__(self, config: TextConfig, *, ops: Ops = TORCH, **factory: Unpack[Factory]) -> None:
        super().__init__()
        self.config = config
        self.model = Decoder(config, ops=ops, **factory)

    def encode(self, prompts: Sequence[Sequence[int]]) -> list[Float[Tensor, "_ d"]]:
        """Embeddings of every prompt at its exact length.

        Prompts run as one batch, short ones padded on the right: attention is causal, so no real token attends to the
        padding and no mask is needed. The embedding table, a tenth of all weights, may stay on the CPU: only the
        prompts' rows are copied.
        """
        device, table_device = device_of(self.model.layers), device_of(self.model.embed_tokens)
        ids = pad_sequence(
            [torch.tensor(prompt, device=table_device) for prompt in prompts], batch_first=True
        )  # (b, n)
        embeddings = self(self.embed(ids).to(device))  # (b, n, d)
        return [row[: len(prompt)] for row, prompt in zip(embeddings, prompts, strict=True)]

    def embed(self, ids: Int[Tensor, "b n"]) -> Float[Tensor, "b n d"]:
        """Rows of the embedding table."""
        return self.model.embed_tokens(ids)

    def forward(self, x: Float[Tensor, "b n d"], n_layers: int | None = None) -> Float[Tensor, "b n d"]:
        """The residual stream before the file's last layer, or after the first `n_layers`."""
        rope = rope_table(x.shape[1], self.config.head_dim, self.config.rope_theta, x.device)
        for layer in list(self.model.layers)[:n_layers]:
            x = layer(x, rope)
        return x


class Decoder(nn.Module):
    """Embedding table and decoder layers; the published keys call it `model`."""

    def __init__(self, config: TextConfig, *, ops: Ops = TORCH, **factory: Unpack[Factory]) -> None:
        super().__init__()
        self.embed_tokens = ops.Embedding(config.vocab_size, config.dim, **factory)
        self.layers: Layers[DecoderLayer] = Layers(
            DecoderLayer(config, ops=ops, **factory) for _ in range(config.n_layers_run)
        )


class DecoderLayer(nn.Module):
    """Pre-normed causal attention, then a pre-normed SwiGLU."""

    def __init__(self, config: TextConfig, *, ops: Ops = TORCH, **factory: Unpack[Factory]) -> None:
        super().__init__()
        self.input_layernorm = ops.RMSNorm(config.dim, eps=config.norm_eps, **factory)
        self.self_attn = SelfAttention(config, ops=ops, **factory)
        self.post_attention_layernorm = ops.RMSNorm(config.dim, eps=config.norm_eps, **factory)
        self.mlp = MLP(config, ops=ops, **factory)

    def forward(
        self, x: Float[Tensor, "b n d"], rope: RopeTable, cache: LayerCache | None = None
    ) -> Float[Tensor, "b n d"]:
        x = x + self.self_attn(self.input_layernorm(x), rope, cache)
        return x + self.mlp(self.post_attention_layernorm(x))


class SelfAttention(nn.Module):
    """Grouped-query attention with normed queries and keys; with a cache also to the tokens before these."""

    def __init__(self, config: TextConfig, *, ops: Ops = TORCH, **factory: Unpack[Factory]) -> None:
        super().__init__()
        wide, narrow = config.n_heads * config.head_dim, config.n_kv_heads * config.head_dim
        self.head_dim = config.head_dim
        self.q_proj = ops.Linear(config.dim, wide, bias=False, **factory)
        self.k_proj = ops.Linear(config.dim, narrow, bias=False, **factory)
        self.v_proj = ops.Linear(config.dim, narrow, bias=False, **factory)
        self.o_proj = ops.Linear(wide, config.dim, bias=False, **factory)
        self.q_norm = ops.RMSNorm(config.head_dim, eps=config.norm_eps, **factory)
        self.k_norm = ops.RMSNorm(config.head_dim, eps=config.norm_eps, **factory)

    def forward(
        self, x: Float[Tensor, "b n d"], rope: RopeTable, cache: LayerCache | None = None
    ) -> Float[Tensor, "b n d"]:
        q, k, v = (
            rearrange(project(x), "b n (h e) -> b n h e", e=self.head_dim)
            for project in (self.q_proj, self.k_proj, self.v_proj)
        )
        rotated = apply_rope(torch.cat((self.q_norm(q), self.k_norm(k)), dim=2), rope)  # queries and keys at once
        q, k, v = (rearrange(heads, "b n h e -> b h n e") for heads in (*rotated.split((q.shape[2], k.shape[2]), 2), v))
        if cache is not None:
            k, v = cache.extend(k, v)
        if q.shape[2] == k.shape[2]:
            return self.o_proj(attention(q, k, v, is_causal=True))
        return self.o_proj(last_token_attention(q, k, v))


def last_token_attention(
    q: Float[Tensor, "b h 1 e"], k: Float[Tensor, "b g m e"], v: Float[Tensor, "b g m e"]
) -> Float[Tensor, "b 1 h*e"]:
    """Attention of one token to all before it: query heads that share a key head become that head's queries.

    So keys and values are read once, where a kernel for grouped queries reads them once per query head.
    """
    out = attention(rearrange(q, "b (g r) 1 e -> b g r e", g=k.shape[1]), k, v)  # (b, r, g*e)
    return rearrange(out, "b r (g e) -> b 1 (g r e)", g=k.shape[1])


class MLP(nn.Module):
    """down(silu(gate x) · up x)."""

    def __init__(self, config: TextConfig, *, ops: Ops = TORCH, **factory: Unpack[Factory]) -> None:
        super().__init__()
        self.gate_proj = ops.Linear(config.dim, config.ffn_dim, bias=False, **factory)
        self.up_proj = ops.Linear(config.dim, config.ffn_dim, bias=False, **factory)
        self.down_proj = ops.Linear(config.ffn_dim, config.dim, bias=False, **factory)

    def forward(self, x: Float[Tensor, "b n d"]) -> Float[Tensor, "b n d"]:
        return self.down_proj(select_kernels(x).swiglu(self.gate_proj(x), self.up_proj(x)))


def device_of(module: nn.Module) -> torch.device:
    """The device of a module's weights."""
    return next(module.parameters()).device


def rope_table(length: int, head_dim: int, theta: float, device: torch.device, start: int = 0) -> RopeTable:
    """Cosines and sines of positions `start`, `start` + 1, …; one angle for each pair (i, i + e/2)."""
    frequencies = theta ** -(torch.arange(0, head_dim, 2, dtype=torch.float32, device=device) / head_dim)
    angle = (
        torch.arange(start, start + length, dtype=torch.float32, device=device)[:, None, None] * frequencies
    )  # (n, 1, m)
    return angle.cos().tile(2), angle.sin()


def apply_rope(x: Float[Tensor, "b n h e"], rope: RopeTable) -> Float[Tensor, "b n h e"]:
    """Rotate channel pairs (i, i + e/2) of every head; the diffusion transformer rotates neighbours instead.

    Three passes over memory: the multiplication makes a new float32 tensor, in which both halves are then completed.
    """
    cos, sin = rope
    half = x.shape[-1] // 2
    rotated = x * cos
    rotated[..., :half].addcmul_(x[..., half:], sin, value=-1)
    rotated[..., half:].addcmul_(x[..., :half], sin)
    return rotated.to(x.dtype)
