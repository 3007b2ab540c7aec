"""One layer of S3-DiT: self-attention and SwiGLU, each between two RMS norms.

Letters: b batch, n tokens, d model width, f feed-forward width, h heads, e head width, t time vector width,
pqc patch height · patch width · latent channels.
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

PROBE_VALUE = 1024.0  # its square hides any epsilon; a power of two, so that x / rms(x) is exactly 1 in every dtype


class NormWeights(NamedTuple):
    """The weights of one block's norms: its own, or those with the modulation of one time folded in."""

    attn_in: ScaleRow
    attn_out: ScaleRow
    ffn_in: ScaleRow
    ffn_out: ScaleRow
    qk: Float[Tensor, "2 1 e"]  # of the query norm and the key norm, never modulated


class Block(nn.Module):
    """One transformer layer with sandwich norms: every sublayer F adds norm2(F(norm1(x))) to x.

    adaLN modulates it by scales and tanh gates, with no shift (F is self-attention, then SwiGLU):

        x = x + tanh(gate) · norm2(F((1 + scale) · norm1(x)))

    An RMS norm ends in a multiplication by its weight, so (1 + scale) and tanh(gate) are multiplied into the weights
    beforehand, once per noise level; `forward` receives these products as `NormWeights`.
    """

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

    def base_norm_weights(self, like: Tensor) -> NormWeights:
        """The norms' own weights, in dtype and on device of `like`; an unmodulated block runs with these."""
        norms = (self.attention_norm1, self.attention_norm2, self.ffn_norm1, self.ffn_norm2)
        rows = [weight_of(norm, like)[None, None] for norm in norms]  # 4 x (1, 1, d)
        query_and_key = weight_of(self.attention.q_norm, like), weight_of(self.attention.k_norm, like)
        return NormWeights(*rows, qk=torch.stack(query_and_key)[:, None])

    def modulated(self, weights: NormWeights, time: Float[Tensor, "b t"]) -> NormWeights:
        """`base_norm_weights` times the adaLN modulation of a time vector; the linear map has no activation."""
        rows = self.adaLN_modulation(time)[:, None]  # (b, 1, 4d)
        scale_attn, gate_attn, scale_ffn, gate_ffn = rows.chunk(4, dim=-1)
        return NormWeights(
            attn_in=weights.attn_in * (1 + scale_attn),
            attn_out=weights.attn_out * gate_attn.tanh(),
            ffn_in=weights.ffn_in * (1 + scale_ffn),
            ffn_out=weights.ffn_out * gate_ffn.tanh(),
            qk=weights.qk,
        )

    def forward(
        self, x: Float[Tensor, "b n d"], rope: Rope, norms: NormWeights, attend: Attention = attention
    ) -> Float[Tensor, "b n d"]:
        kernels = select_kernels(x)
        # attention and feed_forward are called inside add_normed, so that their output is freed right after it
        normed = _norm(kernels, x, norms.attn_in, self.attention_norm1, self.attention.input_spec)
        x = kernels.add_normed(
            x, self.attention(normed, rope, norms.qk, attend), norms.attn_out, epsilon(self.attention_norm2)
        )
        normed = _norm(kernels, x, norms.ffn_in, self.ffn_norm1, self.feed_forward.input_spec)
        return kernels.add_normed(x, self.feed_forward(normed), norms.ffn_out, epsilon(self.ffn_norm2))


class SelfAttention(nn.Module):
    """Multi-head self-attention; queries and keys are RMS-normed, then rotated by their positions."""

    def __init__(self, config: DiTConfig, *, ops: Ops = TORCH, **factory: Unpack[Factory]) -> None:
        super().__init__()
        self.n_heads = config.n_heads
        self.qkv = ops.Linear(config.dim, 3 * config.dim, bias=False, **factory)
        self.out = ops.Linear(config.dim, config.dim, bias=False, **factory)
        self.q_norm = ops.RMSNorm(config.head_dim, eps=config.norm_eps, **factory)
        self.k_norm = ops.RMSNorm(config.head_dim, eps=config.norm_eps, **factory)

    @property
    def input_spec(self) -> QuantSpec | None:
        """How the tokens passed to `forward` should be quantized; None = not at all."""
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
    """The feed-forward network w2(silu(w1 x) · w3 x)."""

    def __init__(self, config: DiTConfig, *, ops: Ops = TORCH, **factory: Unpack[Factory]) -> None:
        super().__init__()
        self.w1 = ops.Linear(config.dim, config.ffn_dim, bias=False, **factory)
        self.w2 = ops.Linear(config.ffn_dim, config.dim, bias=False, **factory)
        self.w3 = ops.Linear(config.dim, config.ffn_dim, bias=False, **factory)

    @property
    def input_spec(self) -> QuantSpec | None:
        """How the tokens passed to `forward` should be quantized; None = not at all."""
        return shared_quant_spec(self.w1, self.w3)

    def forward(self, x: Float[Tensor, "b n d"] | QuantizedTensor) -> Float[Tensor, "b n d"]:
        return finite(self.w2(self._gated(x)))

    def _gated(self, x: Float[Tensor, "b n d"] | QuantizedTensor) -> Float[Tensor, "b n f"] | QuantizedTensor:
        gate, up, spec = self.w1(x), self.w3(x), shared_quant_spec(self.w2)
        if spec is None:
            return finite(select_kernels(x).swiglu(gate, up))
        return select_quant_kernels(x, spec).swiglu(gate, up, spec)


class FinalLayer(nn.Module):
    """LayerNorm, scaled by the time vector, and a linear map to patch vectors."""

    def __init__(self, config: DiTConfig, *, ops: Ops = TORCH, **factory: Unpack[Factory]) -> None:
        super().__init__()
        self.norm_final = ops.LayerNorm(config.dim, eps=1e-6, elementwise_affine=False, **factory)
        self.linear = ops.Linear(config.dim, config.patch_dim, **factory)
        self.adaLN_modulation = nn.Sequential(nn.SiLU(), ops.Linear(config.adaln_dim, config.dim, **factory))

    def scale(self, time: Float[Tensor, "b t"]) -> Float[Tensor, "#b 1 d"]:
        """1 + scale of normed tokens; unlike in a block, the linear map follows a SiLU."""
        return 1 + self.adaLN_modulation(time)[:, None]

    def forward(self, x: Float[Tensor, "b n d"], scale: Float[Tensor, "#b 1 d"]) -> Float[Tensor, "b n pqc"]:
        return self.linear(self.norm_final(x) * scale)


def weight_of(norm: nn.RMSNorm, like: Tensor) -> Float[Tensor, " d"]:
    """An RMS norm's weight, exactly, as its output for a constant row.

    Reading `.weight` would bypass what ComfyUI's layers do in `forward`: cast it, patch it, move it to the device.
    """
    return norm(like.new_full(norm.normalized_shape, PROBE_VALUE))


def epsilon(norm: nn.RMSNorm) -> float:
    """The norm's epsilon; that of float32 where none is given, as in some of ComfyUI's layers."""
    return torch.finfo(torch.float32).eps if norm.eps is None else norm.eps


def shared_quant_spec(*layers: nn.Module) -> QuantSpec | None:
    """How the common input of `layers` should be quantized by the kernel that computes it; None = not at all.

    An 8-bit layer quantizes a float input itself, but a norm or a SwiGLU can do it in the same pass over memory, and
    once for two layers. All layers have to want the same. One whose `forward` is replaced (by a LoRA's side branch)
    wants its input in floats.
    """
    specs = {None if "forward" in vars(layer) else getattr(layer, "quant_spec", None) for layer in layers}
    return specs.pop() if len(specs) == 1 else None


def _norm(
    kernels: Kernels, x: Float[Tensor, "b n d"], row: ScaleRow, norm: nn.RMSNorm, spec: QuantSpec | None
) -> Float[Tensor, "b n d"] | QuantizedTensor:
    """x / rms(x) · row, quantized in the same kernel if `spec` is given."""
    eps = epsilon(norm)
    return kernels.norm(x, row, eps) if spec is None else select_quant_kernels(x, spec).norm(x, row, eps, spec)
