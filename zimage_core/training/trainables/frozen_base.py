"""Gradients through a frozen base whose weights are quantized: the product itself has none, as it rounds.

Forward is the layer's own, so that adapters learn beside what they will run beside. Backward uses the unpacked weight,
one layer at a time, which is never kept.
"""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from ...adapters import quantized_layers, unpacked_weight

Forward = Callable[[Tensor], Tensor]


class QuantizedProduct(torch.autograd.Function):
    """layer(x), with the gradient of x @ W.T for the unpacked W."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, layer: nn.Module, forward: Forward) -> Tensor:
        ctx.layer = layer
        return forward(x)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        (gradient,) = gradients
        weight = unpacked_weight(ctx.layer, gradient.device)
        return gradient @ weight.to(gradient.dtype), None, None


@contextmanager
def differentiable(network: nn.Module) -> Generator[None]:
    """The network passes gradients through its quantized layers; afterwards it is as before."""
    layers = quantized_layers(network).values()
    for layer in layers:
        layer.forward = _with_gradient(layer, layer.forward)
    try:
        yield
    finally:
        for layer in layers:
            del layer.forward


def _with_gradient(layer: nn.Module, forward: Forward) -> Forward:
    def product(x: Tensor) -> Tensor:
        out = QuantizedProduct.apply(x, layer, forward) if x.requires_grad else forward(x)
        assert isinstance(out, Tensor)
        return out

    return product
