"""Qwen3 as Z-Image's reader of prompts: every decoder layer but the last, and no final norm.

Letters: b batch, n tokens, d width, h query heads, g key heads, e head width, m = e/2 rotated pairs.

Attribute names are the published keys (`model.layers.0.self_attn.q_proj.weight`). The features are transformers'
`hidden_states[-2]`; they carry very large outlier channels, so never store them as float16.
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

Turn = tuple[Float[Tensor, "n 1 e"], Float[Tensor, "n 1 m"]]  # cosines, for both halves of a head, and sines


class Qwen3(nn.Module):
    """Token ids to the features the diffusion transformer was trained on."""

    def __init__(self, config: TextConfig, *, ops: Ops = TORCH, **factory: Unpack[Factory]) -> None:
        super().__init__()
        self.config = config
        self.model = Trunk(config, ops=ops, **factory)

    def encode(self, prompts: Sequence[Sequence[int]]) -> list[Float[Tensor, "_ d"]]:
        """Features of every prompt at its exact length.

        Prompts run as one batch, short ones filled up on the right: attention is causal, so no real token sees the
        filling and no mask is needed. The embedding table, a tenth of all weights, may stay on the CPU: only the rows
        of the prompt travel.
        """
        device, table_device = device_of(self.model.layers), device_of(self.model.embed_tokens)
        ids = pad_sequence(
            [torch.tensor(prompt, device=table_device) for prompt in prompts], batch_first=True
        )  # (b, n)
        features = self(self.embed(ids).to(device))
        return [row[: len(prompt)] for row, prompt in zip(features, prompts, strict=True)]

    def embed(self, ids: Int[Tensor, "b n"]) -> Float[Tensor, "b n d"]:
        """Rows of the embedding table."""
        return self.model.embed_tokens(ids)

    def forward(self, x: Float[Tensor, "b n d"], n_layers: int | None = None) -> Float[Tensor, "b n d"]:
        """The residual stream that would enter the last layer, or the one after the first `n_layers`."""
        turn = rope(x.shape[1], self.config.head_dim, self.config.rope_theta, x.device)
        for layer in list(self.model.layers)[:n_layers]:
            x = layer(x, turn)
        return x


class Trunk(nn.Module):
    """What the published keys call `model`."""

    def __init__(self, config: TextConfig, *, ops: Ops = TORCH, **factory: Unpack[Factory]) -> None:
        super().__init__()
        self.embed_tokens = ops.Embedding(config.vocab_size, config.dim, **factory)
        self.layers: Layers[Layer] = Layers(Layer(config, ops=ops, **factory) for _ in range(config.n_layers_run))


class Layer(nn.Module):
    """Pre-normed causal attention, then a pre-normed SwiGLU."""

    def __init__(self, config: TextConfig, *, ops: Ops = TORCH, **factory: Unpack[Factory]) -> None:
        super().__init__()
        self.input_layernorm = ops.RMSNorm(config.dim, eps=config.norm_eps, **factory)
        self.self_attn = SelfAttention(config, ops=ops, **factory)
        self.post_attention_layernorm = ops.RMSNorm(config.dim, eps=config.norm_eps, **factory)
        self.mlp = MLP(config, ops=ops, **factory)

    def forward(self, x: Float[Tensor, "b n d"], turn: Turn) -> Float[Tensor, "b n d"]:
        x = x + self.self_attn(self.input_layernorm(x), turn)
        return x + self.mlp(self.post_attention_layernorm(x))


class SelfAttention(nn.Module):
    """Grouped-query attention with normed queries and keys."""

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

    def forward(self, x: Float[Tensor, "b n d"], turn: Turn) -> Float[Tensor, "b n d"]:
        q, k, v = (
            rearrange(project(x), "b n (h e) -> b n h e", e=self.head_dim)
            for project in (self.q_proj, self.k_proj, self.v_proj)
        )
        turned = rotate(torch.cat((self.q_norm(q), self.k_norm(k)), dim=2), turn)  # all heads in one go
        q, k, v = (rearrange(heads, "b n h e -> b h n e") for heads in (*turned.split((q.shape[2], k.shape[2]), 2), v))
        return self.o_proj(attention(q, k, v, is_causal=True))


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
    """Where a module's weights are."""
    return next(module.parameters()).device


def rope(length: int, head_dim: int, theta: float, device: torch.device) -> Turn:
    """Cosines and sines of positions 0, 1, …; one angle for each pair (i, i + e/2)."""
    frequencies = theta ** -(torch.arange(0, head_dim, 2, dtype=torch.float32, device=device) / head_dim)
    angle = torch.arange(length, dtype=torch.float32, device=device)[:, None, None] * frequencies  # (n, 1, m)
    return angle.cos().tile(2), angle.sin()


def rotate(x: Float[Tensor, "b n h e"], turn: Turn) -> Float[Tensor, "b n h e"]:
    """Turn the pairs (i, i + e/2) of every head; the diffusion transformer's rope turns neighbours instead.

    Three passes: the product makes a float32 tensor of its own, and both halves are completed in it.
    """
    cos, sin = turn
    half = x.shape[-1] // 2
    turned = x * cos
    turned[..., :half].addcmul_(x[..., half:], sin, value=-1)
    turned[..., half:].addcmul_(x[..., :half], sin)
    return turned.to(x.dtype)
