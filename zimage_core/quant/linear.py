"""The base class of the int8 and fp8 linear layers.

Letters: b batch and tokens, n flattened b, i input width, o output width.
"""

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from .._shapes import Float
from ..kernels import QuantizedTensor, QuantSpec, quantize, select_quant_kernels
from ..kernels.rotation import rotated


class QuantizedLinear(nn.Module, ABC):
    """Replaces a Linear without bias: weight and input are quantized, with a scale per row, and multiplied in 8 bits.

    Inputs may arrive quantized by `quant_spec` already, as kernels that produce them can quantize in the same pass.
    """

    weight_scale: Tensor

    def __init__(self, weight: Float[Tensor, "o i"], quant_spec: QuantSpec) -> None:
        super().__init__()
        self.out_features, self.in_features = weight.shape
        self.quant_spec = quant_spec
        quantized = quantize(weight.float(), quant_spec)
        self.weight = nn.Parameter(quantized.values, requires_grad=False)
        self.register_buffer("weight_scale", quantized.scale)

    def forward(self, x: Float[Tensor, "*b i"] | QuantizedTensor) -> Float[Tensor, "*b o"]:
        if isinstance(x, Tensor):
            x = select_quant_kernels(x, self.quant_spec).quantize(x, self.quant_spec)
        flat = QuantizedTensor(x.values.flatten(0, -2), x.scale.flatten(0, -2), x.dtype)  # (n, i)
        out = self.gemm(flat, QuantizedTensor(self.weight, self.weight_scale, torch.float32))
        return out.unflatten(0, x.shape[:-1])

    def unpacked_weight(self) -> Float[Tensor, "o i"]:
        """The weight that the stored values stand for, in float32."""
        weight = self.weight.float() * self.weight_scale
        return weight if self.quant_spec.rotation_group is None else rotated(weight, self.quant_spec.rotation_group)

    @staticmethod
    @abstractmethod
    def gemm(left: QuantizedTensor, right: QuantizedTensor) -> Float[Tensor, "n o"]:
        """left (n, i) @ right (o, i).T, dequantized to the dtype of `left`."""
