"""Linear layers that multiply in 8-bit floats (E4M3), with a scale per row of the weight and of the input.

Letters: n rows of the input, i input width, o output width.
"""

import logging

import torch
from torch import Tensor

from .._shapes import Float
from ..kernels import QuantizedTensor, QuantSpec, quantize
from ..measure import run_and_compare
from .linear import QuantizedLinear

E4M3 = QuantSpec(torch.float8_e4m3fn)
LOGGER = logging.getLogger("zimage")
SAMPLE = 256  # rows and columns that the scaled GEMM is tried on
MIN_CAPABILITY = (8, 9)  # compute capability of the first GPUs with E4M3 tensor cores (Ada)


class Fp8Linear(QuantizedLinear):
    """A linear layer with weight and input in E4M3."""

    def __init__(self, weight: Float[Tensor, "o i"]) -> None:
        super().__init__(weight, E4M3)

    @staticmethod
    def gemm(left: QuantizedTensor, right: QuantizedTensor) -> Float[Tensor, "n o"]:
        return (scaled_gemm if runs_scaled_gemm(left.device) else dequantized_gemm)(left, right)


def has_fp8_gemm(device: torch.device) -> bool:
    """Whether a device multiplies E4M3 in hardware in a way PyTorch uses; AMD's are left out."""
    is_nvidia = device.type == "cuda" and torch.version.hip is None
    return is_nvidia and torch.cuda.get_device_capability(device) >= MIN_CAPABILITY


_tried: dict[torch.device, bool] = {}


def runs_scaled_gemm(device: torch.device) -> bool:
    """`has_fp8_gemm`, and PyTorch's GEMM with a scale per row runs there: tried once, as Windows builds lack it."""
    if not has_fp8_gemm(device):
        return False
    if device not in _tried and torch.compiler.is_compiling():
        return True  # a trial cannot be traced; the network has run uncompiled before, or fails as PyTorch does
    if device not in _tried:
        _tried[device] = _try_scaled_gemm(device)
    return _tried[device]


def _try_scaled_gemm(device: torch.device) -> bool:
    """Whether it runs and agrees with the GEMM of dequantized values; a line in the log where not."""
    generator = torch.Generator(device).manual_seed(0)
    rows = torch.randn(SAMPLE, SAMPLE, device=device, dtype=torch.bfloat16, generator=generator)
    sample = quantize(rows, E4M3)
    expected = dequantized_gemm(sample, sample)
    found = run_and_compare(lambda: scaled_gemm(sample, sample), expected, "it does not agree with PyTorch's float32")
    if isinstance(found, str):
        LOGGER.warning("Z-Image: fp8 saves memory but no time on %s, its 8-bit GEMM is off: %s", device, found)
    return not isinstance(found, str)


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
