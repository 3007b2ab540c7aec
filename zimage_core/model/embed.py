"""Embeddings of the time and of text or vision features.

Letters: b batch, n tokens, c feature width, d model width, t time vector width.
"""

import math

import torch
from torch import Tensor, nn
from typing_extensions import Unpack

from .._shapes import Float
from ..config import TIME_FREQUENCIES, TIME_SCALE
from ..ops import TORCH, Factory, Ops


def sinusoid(time: Float[Tensor, " b"]) -> Float[Tensor, "b 256"]:
    """Cosines, then sines, of 1000·time at 128 frequencies, in float32: 16 bits cannot separate times near 1."""
    steps = torch.arange(TIME_FREQUENCIES, dtype=torch.float32, device=time.device)
    frequencies = torch.exp(-math.log(10000) * steps / TIME_FREQUENCIES)
    angle = (time.float() * TIME_SCALE)[:, None] * frequencies  # (b, 128)
    return torch.cat((angle.cos(), angle.sin()), dim=-1)


class TimestepEmbedder(nn.Module):
    """An MLP from network time in [0, 1] (1 = clean) to the time vector that modulates every block."""

    def __init__(self, hidden: int, out: int, *, ops: Ops = TORCH, **factory: Unpack[Factory]) -> None:
        super().__init__()
        self.mlp = nn.Sequential(
            ops.Linear(2 * TIME_FREQUENCIES, hidden, **factory), nn.SiLU(), ops.Linear(hidden, out, **factory)
        )

    def forward(self, time: Float[Tensor, " b"], dtype: torch.dtype) -> Float[Tensor, "b t"]:
        return self.mlp(sinusoid(time).to(dtype))


def feature_embedder(
    width: int, dim: int, eps: float, *, ops: Ops = TORCH, **factory: Unpack[Factory]
) -> nn.Sequential:
    """RMSNorm and a linear map from features of the text or vision encoder, (…, c), to model width, (…, d)."""
    return nn.Sequential(ops.RMSNorm(width, eps=eps, **factory), ops.Linear(width, dim, **factory))
