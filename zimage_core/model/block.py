"""One layer of S3-DiT and what it is made of.

Letters: b batch, n tokens, d model width, h heads, e head width, t time vector width.
"""

from typing import NamedTuple

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn.functional import silu
from typing_extensions import Unpack

from .._shapes import Float
from ..attention import Attention, attention
from ..config import DiTConfig
from ..ops import TORCH, Factory, Ops
from .rope import Rope, rotate


class Split(NamedTuple):
    """A factor of two values: one for the first `start` tokens, which are clean, one for the noisy rest."""

    clean: "Gain"
    noisy: "Gain"
    start: int


Gain = Float[Tensor, "#b 1 d"] | float | Split


class Gains(NamedTuple):
    """What modulates one block. The default is the identity, so one forward serves the unmodulated refiner exactly."""

    scale_attn: Gain = 1.0
    gate_attn: Gain = 1.0
    scale_ffn: Gain = 1.0
    gate_ffn: Gain = 1.0


def scaled(x: Float[Tensor, "b n d"], gain: Gain) -> Float[Tensor, "b n d"]:
    """Tokens times their factor; no factor is ever spread out over tokens."""
    if not isinstance(gain, Split):
        return x * gain
    return torch.cat((scaled(x[:, : gain.start], gain.clean), scaled(x[:, gain.start :], gain.noisy)), dim=1)


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

    def gains(self, time: Float[Tensor, "b t"]) -> Gains:
        """This block's rows of the time vector; no activation before the linear map, and no shift."""
        rows = self.adaLN_modulation(time)[:, None]  # (b, 1, 4d)
        scale_attn, gate_attn, scale_ffn, gate_ffn = rows.chunk(4, dim=-1)
        return Gains(1 + scale_attn, gate_attn.tanh(), 1 + scale_ffn, gate_ffn.tanh())

    def forward(
        self, x: Float[Tensor, "b n d"], rope: Rope, gains: Gains, attend: Attention = attention
    ) -> Float[Tensor, "b n d"]:
        attended = self.attention(scaled(self.attention_norm1(x), gains.scale_attn), rope, attend)
        x = x + scaled(self.attention_norm2(attended), gains.gate_attn)
        fed = self.feed_forward(scaled(self.ffn_norm1(x), gains.scale_ffn))
        return x + scaled(self.ffn_norm2(fed), gains.gate_ffn)


class SelfAttention(nn.Module):
    """Multi-head attention with normed, rotated queries and keys; one matrix makes all three."""

    def __init__(self, config: DiTConfig, *, ops: Ops = TORCH, **factory: Unpack[Factory]) -> None:
        super().__init__()
        self.n_heads = config.n_heads
        self.qkv = ops.Linear(config.dim, 3 * config.dim, bias=False, **factory)
        self.out = ops.Linear(config.dim, config.dim, bias=False, **factory)
        self.q_norm = ops.RMSNorm(config.head_dim, eps=config.norm_eps, **factory)
        self.k_norm = ops.RMSNorm(config.head_dim, eps=config.norm_eps, **factory)

    def forward(self, x: Float[Tensor, "b n d"], rope: Rope, attend: Attention = attention) -> Float[Tensor, "b n d"]:
        q, k, v = rearrange(self.qkv(x), "b n (three h e) -> three b n h e", three=3, h=self.n_heads)
        q, k = rotate(self.q_norm(q), rope), rotate(self.k_norm(k), rope)
        q, k, v = (rearrange(heads, "b n h e -> b h n e") for heads in (q, k, v))
        return _finite(self.out(attend(q, k, v)))


class SwiGLU(nn.Module):
    """w2(silu(w1 x) · w3 x)."""

    def __init__(self, config: DiTConfig, *, ops: Ops = TORCH, **factory: Unpack[Factory]) -> None:
        super().__init__()
        self.w1 = ops.Linear(config.dim, config.ffn_dim, bias=False, **factory)
        self.w2 = ops.Linear(config.ffn_dim, config.dim, bias=False, **factory)
        self.w3 = ops.Linear(config.dim, config.ffn_dim, bias=False, **factory)

    def forward(self, x: Float[Tensor, "b n d"]) -> Float[Tensor, "b n d"]:
        return _finite(self.w2(_finite(silu(self.w1(x)) * self.w3(x))))


class FinalLayer(nn.Module):
    """LayerNorm, one scale from the time vector, and the map back to patch vectors."""

    def __init__(self, config: DiTConfig, *, ops: Ops = TORCH, **factory: Unpack[Factory]) -> None:
        super().__init__()
        self.norm_final = ops.LayerNorm(config.dim, eps=1e-6, elementwise_affine=False, **factory)
        self.linear = ops.Linear(config.dim, config.patch_dim, **factory)
        self.adaLN_modulation = nn.Sequential(nn.SiLU(), ops.Linear(config.adaln_dim, config.dim, **factory))

    def scale(self, time: Float[Tensor, "b t"]) -> Float[Tensor, "b 1 d"]:
        """The row that scales normed tokens; unlike a block's, it passes a SiLU first."""
        return 1 + self.adaLN_modulation(time)[:, None]

    def forward(self, x: Float[Tensor, "b n d"], scale: Float[Tensor, "b 1 d"]) -> Float[Tensor, "b n pqc"]:
        return self.linear(self.norm_final(x) * scale)


def _finite(x: Tensor) -> Tensor:
    """Clamp what float16 cannot hold: published weights reach activations of 4e5. Other types pass untouched."""
    return torch.nan_to_num(x, nan=0.0) if x.dtype == torch.float16 else x
