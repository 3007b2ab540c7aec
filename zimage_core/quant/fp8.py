"""Linear layers that multiply in 8-bit floats (E4M3), with a scale per row of the weight and of the input.

Letters: n rows of the input, i input width, o output width.
"""

import torch
from torch import Tensor

from .._shapes import Float
from ..kernels import QuantizedTensor, QuantSpec
from .linear import QuantizedLinear

E4M3 = QuantSpec(torch.float8_e4m3fn)
MIN_CAPABILITY = (8, 9)  # compute capability of the first GPUs with E4M3 tensor cores (Ada)


class Fp8Linear(QuantizedLinear):
    """A linear layer with weight and input in E4M3."""

    def __init__(self, weight: Float[Tensor, "o i"]) -> None:
        super().__init__(weight, E4M3)

    @staticmethod
    def gemm(left: QuantizedTensor, right: QuantizedTensor) -> Float[Tensor, "n o"]:
        return (scaled_gemm if has_fp8_gemm(left.device) else dequantized_gemm)(left, right)


def has_fp8_gemm(device: torch.device) -> bool:
    """Whether a device multiplies E4M3 in hardware."""
    return device.type == "cuda" and torch.cuda.get_device_capability(device) >= MIN_CAPABILITY


def scaled_gemm(left: QuantizedTensor, right: QuantizedTensor) -> Float[Tensor, "n o"]:
    """left @ right.T on tensor cores; with a scale per row PyTorch returns bfloat16 only."""
    out = torch._scaled_mm(  # type: ignore[no-untyped-call]
        left.values,
        right.values.T,
        scale_a=left.scale,
        scale_b=right.scale.T,
        out_dtype=torch.bfloat16,
        use_fast_accum=True,
    )
    return out.to(left.dtype)


def dequantized_gemm(left: QuantizedTensor, right: QuantizedTensor) -> Float[Tensor, "n o"]:
    """The same GEMM in float32, for devices without E4M3: it shows the error of fp8 on any machine, not its speed."""
    out = left.values.float() @ right.values.float().T
    return out.mul_(left.scale).mul_(right.scale.T).to(left.dtype)
