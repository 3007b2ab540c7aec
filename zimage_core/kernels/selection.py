"""The sets of kernels, and which of them a tensor gets.

Letters: n tokens, d width.
"""

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from typing import NamedTuple

import torch
from torch import Tensor

from .._shapes import Float
from . import cpu, cuda, plain
from .fastest import fastest
from .plain import QKV, Rope
from .quantization import QuantizedTensor, QuantKernels, QuantSpec, unfused
from .rotation import FUSED_GROUP
from .scale_row import ScaleRow, SplitRow


class Kernels(NamedTuple):
    """One set; `plain.py` documents what each kernel computes and the shapes."""

    norm: Callable[[Tensor, ScaleRow, float], Tensor]
    add_normed: Callable[[Tensor, Tensor, ScaleRow, float], Tensor]
    qk_norm_rope: Callable[[Tensor, Tensor, Rope, int, float], QKV]
    swiglu: Callable[[Tensor, Tensor], Tensor]


PLAIN = Kernels(plain.norm, plain.add_normed, plain.qk_norm_rope, plain.swiglu)
CPU = Kernels(cpu.norm, cpu.add_normed, cpu.qk_norm_rope, plain.swiglu_in_place)
CUDA = Kernels(cuda.norm, cuda.add_normed, cuda.qk_norm_rope, plain.swiglu_in_place)

_in_use: ContextVar[Kernels | None] = ContextVar("zimage_kernels", default=None)  # set by `use_kernels`


def select_kernels(x: Tensor | QuantizedTensor) -> Kernels:
    """The fastest set for tensors like x; the plain one if gradients are needed or torch.compile is tracing."""
    if torch.is_grad_enabled() or torch.compiler.is_compiling():
        return PLAIN
    in_use = _in_use.get()
    if in_use is not None:
        return in_use
    if x.device.type == "cpu" and x.dtype in (torch.float32, torch.bfloat16):
        return CPU
    is_cuda = x.device.type == "cuda"
    return fastest(CUDA, load_fused, workload, x.device, x.dtype, x.shape[-1]) if is_cuda else PLAIN


def select_quant_kernels(x: Tensor | QuantizedTensor, spec: QuantSpec) -> QuantKernels:
    """The quantizing set for tensors like x: on CUDA the fastest, else `select_kernels` and quantization after it."""
    kernels = select_kernels(x)
    fallback = unfused(kernels.norm, kernels.swiglu)
    is_unfused = x.device.type != "cuda" or kernels is PLAIN or _in_use.get() is not None
    if is_unfused or not can_fuse_rotation(spec, x.shape[-1]):
        return fallback
    return fastest(fallback, load_fused_quant, quant_workload(spec), x.device, x.dtype, x.shape[-1])


def can_fuse_rotation(spec: QuantSpec, width: int) -> bool:
    """Whether the quantizing Triton set rotates by a spec, in tokens of a width: it knows one group size only."""
    return spec.rotation_group is None or (spec.rotation_group == FUSED_GROUP and width % FUSED_GROUP == 0)


@contextmanager
def use_kernels(kernels: Kernels) -> Generator[None]:
    """Use one set for all tensors, to measure it or to compare with it."""
    token = _in_use.set(kernels)
    try:
        yield
    finally:
        _in_use.reset(token)


def load_fused(_device: torch.device) -> Sequence[Kernels]:
    """The Triton set; raises ImportError if Triton is missing or too old."""
    from . import fused

    return (Kernels(fused.norm, fused.add_normed, fused.qk_norm_rope, fused.swiglu),)


def load_fused_quant(_device: torch.device) -> Sequence[QuantKernels]:
    """The quantizing Triton set; raises ImportError if Triton is missing or too old."""
    from . import fused_quantization as fused

    return (QuantKernels(fused.quantize, fused.norm, fused.swiglu),)


SAMPLE_EPS = 1e-5  # of the workloads that sets are compared and timed on
HEAD_WIDTH = 128  # of every published network
N_SPLIT = 64  # tokens with split scale rows, few enough not to count in a time


def workload(kernels: Kernels, x: Float[Tensor, "1 n d"]) -> Float[Tensor, "1 m d"]:
    """Run all four kernels of a set on sample tokens, with heads as wide as the networks', and with split rows, too."""
    _, n, width = x.shape
    row, n_heads = torch.ones_like(x[:, :1]), sample_heads(width)
    head = width // n_heads
    angle = torch.linspace(0, 90, n * (head // 2), device=x.device).view(1, n, 1, head // 2)
    cos, sin = angle.cos(), angle.sin()
    rope = torch.stack((cos, -sin, sin, cos), dim=-1).unflatten(-1, (2, 2))  # (1, n, 1, m, 2, 2)
    qkv, weights = torch.cat((x, x, x), dim=-1), x.new_ones(2, 1, head)
    q, k, v = kernels.qk_norm_rope(qkv, weights, rope, n_heads, SAMPLE_EPS)
    gate = (q + k + v).transpose(1, 2).flatten(2)
    out = kernels.add_normed(x, kernels.swiglu(gate, kernels.norm(x, row, SAMPLE_EPS)), row, SAMPLE_EPS)
    few, split = split_sample(x)
    return torch.cat((out, kernels.add_normed(few, kernels.norm(few, split, SAMPLE_EPS), split, SAMPLE_EPS)), dim=1)


def sample_heads(width: int) -> int:
    """Heads of sample tokens: 30 for a width of 3840; one where the published head width does not divide it."""
    return width // HEAD_WIDTH if width % HEAD_WIDTH == 0 else 1


def split_sample(x: Float[Tensor, "1 n d"]) -> tuple[Float[Tensor, "1 m d"], SplitRow]:
    """A few of the sample tokens, and a scale row for them that is split in the middle."""
    few = x[:, :N_SPLIT]
    row = torch.ones_like(x[:, :1])
    return few, SplitRow(row, -2 * row, few.shape[1] // 2)


@lru_cache(maxsize=8)
def quant_workload(spec: QuantSpec) -> Callable[[QuantKernels, Tensor], Tensor]:
    """A function that runs all three kernels of a quantizing set on sample tokens (1, n, d)."""

    def run(kernels: QuantKernels, x: Float[Tensor, "1 n d"]) -> Float[Tensor, "1 m d"]:
        outputs = (
            kernels.quantize(x, spec),
            kernels.norm(x, torch.ones_like(x[:, :1]), SAMPLE_EPS, spec),
            kernels.swiglu(x.clone(), x, spec),
            kernels.norm(*split_sample(x), SAMPLE_EPS, spec),
        )
        return torch.cat([each.values.float() * each.scale for each in outputs], dim=1)

    return run
