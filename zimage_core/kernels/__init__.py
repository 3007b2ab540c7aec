"""The elementwise work of a block, in sets of kernels that give the same numbers with fewer passes over memory.

Letters: b batch, n tokens, d width, h heads, e head width, f feed-forward width.
"""

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from typing import NamedTuple

import torch
from torch import Tensor

from . import cpu, cuda, plain
from .plain import Heads, Rope, rotate
from .quantize import Rounding, Roundings, Rows, one_after_the_other, rounded
from .scale_row import Row, Split, finite
from .selection import fastest

__all__ = [
    "CPU",
    "CUDA",
    "PLAIN",
    "Heads",
    "Kernels",
    "Rope",
    "Rounding",
    "Roundings",
    "Row",
    "Rows",
    "Split",
    "finite",
    "kernels",
    "only",
    "rotate",
    "rounded",
    "roundings",
]


class Kernels(NamedTuple):
    """One set; `plain.py` says what each does, letter by letter."""

    norm: Callable[[Tensor, Row, float], Tensor]
    add_normed: Callable[[Tensor, Tensor, Row, float], Tensor]
    heads: Callable[[Tensor, Tensor, Rope, int, float], Heads]
    swiglu: Callable[[Tensor, Tensor], Tensor]


PLAIN = Kernels(plain.norm, plain.add_normed, plain.heads, plain.swiglu)
CPU = Kernels(cpu.norm, cpu.add_normed, cpu.heads, plain.swiglu_in_place)
CUDA = Kernels(cuda.norm, cuda.add_normed, cuda.heads, plain.swiglu_in_place)

SAMPLE_HEADS, SAMPLE_EPS = 2, 1e-5  # of the tokens sets are compared on

_only: ContextVar[Kernels | None] = ContextVar("zimage_kernels", default=None)


def kernels(x: Tensor | Rows) -> Kernels:
    """The set for tokens like these: the plain one for gradients, for a compiler, and where nothing better is known."""
    if torch.is_grad_enabled() or torch.compiler.is_compiling():
        return PLAIN
    chosen = _only.get()
    if chosen is not None:
        return chosen
    if x.device.type == "cpu" and x.dtype in (torch.float32, torch.bfloat16):
        return CPU
    is_cuda = x.device.type == "cuda"
    return fastest(CUDA, load_fused, exercise, x.device, x.dtype, x.shape[-1]) if is_cuda else PLAIN


def roundings(x: Tensor | Rows, rounding: Rounding) -> Roundings:
    """The set that rounds tokens like these on the way: the same as `kernels` and a step more, or fused."""
    chosen = kernels(x)
    stock = one_after_the_other(chosen.norm, chosen.swiglu)
    if x.device.type != "cuda" or chosen is PLAIN or _only.get() is not None:
        return stock
    return fastest(stock, load_fused_roundings, exercise_of(rounding), x.device, x.dtype, x.shape[-1])


def load_fused(_device: torch.device) -> Sequence[Kernels]:
    """The Triton set; an ImportError where Triton is missing or too old."""
    from . import fused

    return (Kernels(fused.norm, fused.add_normed, fused.heads, fused.swiglu),)


def load_fused_roundings(_device: torch.device) -> Sequence[Roundings]:
    """Likewise of those that round."""
    from . import fused_quantize as fused

    return (Roundings(fused.rounded, fused.norm, fused.swiglu),)


def exercise(chosen: Kernels, x: Tensor) -> Tensor:
    """All four at work on tokens (1, n, d)."""
    _, n, width = x.shape
    row, head = torch.ones_like(x[:, :1]), width // SAMPLE_HEADS
    rope = torch.eye(2, device=x.device).expand(1, n, 1, head // 2, 2, 2)
    q, k, v = chosen.heads(torch.cat((x, x, x), dim=-1), x.new_ones(2, 1, head), rope, SAMPLE_HEADS, SAMPLE_EPS)
    attended = (q + k + v).transpose(1, 2).flatten(2)
    return chosen.add_normed(x, chosen.swiglu(attended, chosen.norm(x, row, SAMPLE_EPS)), row, SAMPLE_EPS)


@lru_cache(maxsize=8)
def exercise_of(rounding: Rounding) -> Callable[[Roundings, Tensor], Tensor]:
    """All three at work on tokens (1, n, d)."""

    def run(chosen: Roundings, x: Tensor) -> Tensor:
        made = (
            chosen.rounded(x, rounding),
            chosen.norm(x, torch.ones_like(x[:, :1]), SAMPLE_EPS, rounding),
            chosen.swiglu(x.clone(), x, rounding),
        )
        return torch.cat([rows.numbers.float() * rows.scale for rows in made])

    return run


@contextmanager
def only(chosen: Kernels) -> Generator[None]:
    """Use one set whatever the tokens are, to measure or to compare."""
    token = _only.set(chosen)
    try:
        yield
    finally:
        _only.reset(token)
