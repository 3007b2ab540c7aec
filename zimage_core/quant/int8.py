"""Linear layers that multiply in int8, with a scale per row of the weight and of the input.

Weights have ComfyUI's `int8_tensorwise` format with a scale per row and, if rotated, its `convrot`: a weight quantized
here can be saved to such a file, and the other way round.

Letters: n rows of the input, i input width, o output width.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from .._shapes import Float, Int, Int8
from ..kernels import QuantizedTensor, QuantSpec, quantize
from ..kernels.fastest import fastest
from .linear import QuantizedLinear

MIN_ROWS = 17  # of the left matrix in CUDA's `torch._int_mm`
MIN_CAPABILITY = (8, 0)  # compute capability of the first NVIDIA GPUs that Triton compiles int8 GEMMs for (Ampere)
MATRIX_CORES = ("gfx908", "gfx90a", "gfx94", "gfx95", "gfx11", "gfx12")  # AMD's with int8: CDNA; RDNA from the third on

Gemm = Callable[[QuantizedTensor, QuantizedTensor], Tensor]


def int8_spec(rotation_group: int | None) -> QuantSpec:
    """Quantization to int8, with columns rotated in groups before, or not."""
    return QuantSpec(torch.int8, rotation_group)


class Int8Linear(QuantizedLinear):
    """A linear layer with weight and input in int8; inputs are rotated as the weight is."""

    def __init__(self, weight: Float[Tensor, "o i"], group: int | None) -> None:
        super().__init__(weight, int8_spec(group))

    @staticmethod
    def gemm(left: QuantizedTensor, right: QuantizedTensor) -> Float[Tensor, "n o"]:
        if not left.values.is_cuda or torch.compiler.is_compiling():
            return gemm_then_scale(left, right)
        return fastest(gemm_then_scale, load_fused, workload, left.device, left.dtype, left.shape[-1])(left, right)


def gemm_then_scale(left: QuantizedTensor, right: QuantizedTensor) -> Float[Tensor, "n o"]:
    """left @ right.T in int8, then both scales, with PyTorch's own operations."""
    out = int_gemm(left.values, right.values)
    return out.float().mul_(left.scale).mul_(right.scale.T).to(left.dtype)


def int_gemm(left: Int8[Tensor, "n i"], right: Int8[Tensor, "o i"]) -> Int[Tensor, "n o"]:
    """left @ right.T accumulated in int32, exactly."""
    n_missing = MIN_ROWS - len(left)
    if left.is_cuda and n_missing > 0:
        padded = torch.cat((left, left.new_zeros(n_missing, left.shape[1])))
        return torch._int_mm(padded, right.T)[:-n_missing]  # type: ignore[no-untyped-call]
    return torch._int_mm(left, right.T)  # type: ignore[no-untyped-call]


def load_fused(device: torch.device) -> Sequence[Gemm]:
    """Triton's: PyTorch's int8 GEMM with a fused scaling, and from Ampere on a GEMM that scales its own result."""
    from . import fused_int8 as fused

    def gemm_then_fused_scale(left: QuantizedTensor, right: QuantizedTensor) -> Tensor:
        return fused.apply_scales(int_gemm(left.values, right.values), left, right)

    return (gemm_then_fused_scale, fused.scaled_gemm)[: 2 if has_matrix_cores(device) else 1]


def has_matrix_cores(device: torch.device) -> bool:
    """Whether a GPU multiplies int8 matrices in hardware, as Triton's GEMM expects.

    AMD's capabilities are other numbers: RDNA 2, without matrix instructions, has (10, 3).
    """
    if torch.version.hip is None:
        return torch.cuda.get_device_capability(device) >= MIN_CAPABILITY
    return str(torch.cuda.get_device_properties(device).gcnArchName).startswith(MATRIX_CORES)


def workload(gemm: Gemm, x: Float[Tensor, "1 n i"]) -> Tensor:
    """A square layer, o = i, applied to four times as many rows as x has."""
    rows = quantize(x[0], int8_spec(None))
    repeats = -(-x.shape[-1] // len(rows.values))
    left, right = (
        QuantizedTensor(rows.values.repeat(times, 1), rows.scale.repeat(times, 1), x.dtype) for times in (4, repeats)
    )
    return gemm(left, right)
