"""One layer of S3-DiT and what it is made of.

Letters: b batch, n tokens, d model width, f feed-forward width, h heads, e head width, t time vector width.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from typing_extensions import Unpack

from .._shapes import Float
from ..attention import Attention, attention
from ..config import DiTConfig
from ..kernels import (
    Kernels,
    QuantizedTensor,
    QuantSpec,
    Rope,
    ScaleRow,
    finite,
    select_kernels,
    select_quant_kernels,
)
from ..ops import TORCH, Factory, Ops

UNIT_RMS = 1024.0  # a constant row: its square hides any epsilon, and its root is exact in every type


class Gains(NamedTuple):
    """The weights of one block's norms at one time. Modulation only scales, so it is folded into them."""

    attn_in: ScaleRow
    attn_out: ScaleRow
    ffn_in: ScaleRow
    ffn_out: ScaleRow
    heads: Float[Tensor, "2 1 e"]  # of the query norm and the key norm


class Block(nn.Module):
    """One layer: sandwich-normed attention, then sandwich-normed SwiGLU, each scaled before and gated after."""

    def __init__(
        self, config: DiTConfig, *, is_modulated: bool = True, ops: Ops = TORCH, **factory: Unpack[Factory]
    ) -> None:
        super().__init__()
        norm = {"eps": config.norm_eps, **factory}
        self.attention = SelfAttention(config, ops=ops, **factory)
        self.feed_forward = SwiGLU(config, ops=ops, **factory)
        self.attention_norm1 = ops.RMSNorm(config.dim, **norm)
        self.attention_norm2 = ops.RMSNorm(config.dim, **norm)
        self.ffn_norm1 = ops.RMSNorm(config.dim, **norm)
        self.ffn_norm2 = ops.RMSNorm(config.dim, **norm)
        if is_modulated:
            self.adaLN_modulation = nn.Sequential(ops.Linear(config.adaln_dim, 4 * config.dim, **factory))

    def gains(self, time: Float[Tensor, "b t"], plain: Gains) -> Gains:
        """The norms' weights at this time, from their own; no activation before the linear map, and no shift."""
        rows = self.adaLN_modulation(time)[:, None]  # (b, 1, 4d)
        scale_attn, gate_attn, scale_ffn, gate_ffn = rows.chunk(4, dim=-1)
        return Gains(
            attn_in=plain.attn_in * (1 + scale_attn),
            attn_out=plain.attn_out * gate_attn.tanh(),
            ffn_in=plain.ffn_in * (1 + scale_ffn),
            ffn_out=plain.ffn_out * gate_ffn.tanh(),
            heads=plain.heads,
        )

    def plain_gains(self, like: Tensor) -> Gains:
        """The norms' own weights, all a block has that nothing modulates, in the type and place of `like`."""
        norms = (self.attention_norm1, self.attention_norm2, self.ffn_norm1, self.ffn_norm2)
        rows = [weight_of(norm, like)[None, None] for norm in norms]
        query_and_key = weight_of(self.attention.q_norm, like), weight_of(self.attention.k_norm, like)
        return Gains(*rows, heads=torch.stack(query_and_key)[:, None])

    def forward(
        self, x: Float[Tensor, "b n d"], rope: Rope, gains: Gains, attend: Attention = attention
    ) -> Float[Tensor, "b n d"]:
        fused = select_kernels(x)
        normed = _normed(fused, x, gains.attn_in, epsilon(self.attention_norm1), self.attention.input_spec)
        x = fused.add_normed(
            x, self.attention(normed, rope, gains.heads, attend), gains.attn_out, epsilon(self.attention_norm2)
        )
        normed = _normed(fused, x, gains.ffn_in, epsilon(self.ffn_norm1), self.feed_forward.input_spec)
        return fused.add_normed(x, self.feed_forward(normed), gains.ffn_out, epsilon(self.ffn_norm2))


class SelfAttention(nn.Module):
    """Multi-head attention with normed, rotated queries and keys; one matrix makes all three."""

    def __init__(self, config: DiTConfig, *, ops: Ops = TORCH, **factory: Unpack[Factory]) -> None:
        super().__init__()
        self.n_heads = config.n_heads
        self.qkv = ops.Linear(config.dim, 3 * config.dim, bias=False, **factory)
        self.out = ops.Linear(config.dim, config.dim, bias=False, **factory)
        self.q_norm = ops.RMSNorm(config.head_dim, eps=config.norm_eps, **factory)
        self.k_norm = ops.RMSNorm(config.head_dim, eps=config.norm_eps, **factory)

    @property
    def input_spec(self) -> QuantSpec | None:
        """What tokens should be rounded to before they come here."""
        return shared_quant_spec(self.qkv)

    def forward(
        self,
        x: Float[Tensor, "b n d"] | QuantizedTensor,
        rope: Rope,
        weights: Float[Tensor, "2 1 e"],
        attend: Attention = attention,
    ) -> Float[Tensor, "b n d"]:
        q, k, v = select_kernels(x).qk_norm_rope(self.qkv(x), weights, rope, self.n_heads, epsilon(self.q_norm))
        return finite(self.out(attend(q, k, v)))


class SwiGLU(nn.Module):
    """w2(silu(w1 x) · w3 x)."""

    def __init__(self, config: DiTConfig, *, ops: Ops = TORCH, **factory: Unpack[Factory]) -> None:
        super().__init__()
        self.w1 = ops.Linear(config.dim, config.ffn_dim, bias=False, **factory)
        self.w2 = ops.Linear(config.ffn_dim, config.dim, bias=False, **factory)
        self.w3 = ops.Linear(config.dim, config.ffn_dim, bias=False, **factory)

    @property
    def input_spec(self) -> QuantSpec | None:
        """What tokens should be rounded to before they come here."""
        return shared_quant_spec(self.w1, self.w3)

    def forward(self, x: Float[Tensor, "b n d"] | QuantizedTensor) -> Float[Tensor, "b n d"]:
        return finite(self.w2(self._gated(x)))

    def _gated(self, x: Float[Tensor, "b n d"] | QuantizedTensor) -> Float[Tensor, "b n f"] | QuantizedTensor:
        gate, up, spec = self.w1(x), self.w3(x), shared_quant_spec(self.w2)
        if spec is None:
            return finite(select_kernels(x).swiglu(gate, up))
        return select_quant_kernels(x, spec).swiglu(gate, up, spec)


class FinalLayer(nn.Module):
    """LayerNorm, one scale from the time vector, and the map back to patch vectors."""

    def __init__(self, config: DiTConfig, *, ops: Ops = TORCH, **factory: Unpack[Factory]) -> None:
        super().__init__()
        self.norm_final = ops.LayerNorm(config.dim, eps=1e-6, elementwise_affine=False, **factory)
        self.linear = ops.Linear(config.dim, config.patch_dim, **factory)
        self.adaLN_modulation = nn.Sequential(nn.SiLU(), ops.Linear(config.adaln_dim, config.dim, **factory))

    def scale(self, time: Float[Tensor, "b t"]) -> Float[Tensor, "#b 1 d"]:
        """The row that scales normed tokens; unlike a block's, it passes a SiLU first."""
        return 1 + self.adaLN_modulation(time)[:, None]

    def forward(self, x: Float[Tensor, "b n d"], scale: Float[Tensor, "#b 1 d"]) -> Float[Tensor, "b n pqc"]:
        return self.linear(self.norm_final(x) * scale)


def weight_of(norm: nn.RMSNorm, like: Tensor) -> Float[Tensor, " d"]:
    """An RMS norm's weight by what it does to a constant row, exactly: the layer casts, patches and moves it itself."""
    return norm(like.new_full(norm.normalized_shape, UNIT_RMS))


def epsilon(norm: nn.RMSNorm) -> float:
    """What keeps the norm from dividing by zero; layers of ComfyUI's that name none use float32's smallest step."""
    return torch.finfo(torch.float32).eps if norm.eps is None else norm.eps


def shared_quant_spec(*layers: nn.Module) -> QuantSpec | None:
    """What 8-bit layers want their common input rounded to; None if one wants it whole, as one with a LoRA beside."""
    wanted = {None if "forward" in vars(layer) else getattr(layer, "quant_spec", None) for layer in layers}
    return wanted.pop() if len(wanted) == 1 else None


def _normed(
    fused: Kernels, x: Float[Tensor, "b n d"], row: ScaleRow, eps: float, spec: QuantSpec | None
) -> Float[Tensor, "b n d"] | QuantizedTensor:
    """Normed tokens, rounded on the way for layers that multiply in 8 bits."""
    return fused.norm(x, row, eps) if spec is None else select_quant_kernels(x, spec).norm(x, row, eps, spec)
