"""Our networks with one optimisation off, or one opt-in on. Each is one entry:

VARIANTS["plain kernels"] = Variant(scope=lambda: use_kernels(PLAIN_KERNELS))
VARIANTS["int8"] = Variant(prepare=multiplying_in(INT8), is_lossy=True)
"""

from collections.abc import Callable, Collection
from contextlib import AbstractContextManager, nullcontext
from typing import NamedTuple

from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from zimage_core.kernels import CUDA as STOCK_KERNELS
from zimage_core.kernels import PLAIN as PLAIN_KERNELS
from zimage_core.kernels import use_kernels
from zimage_core.model import S3DiT
from zimage_core.quant import FP8, INT8, INT8_UNROTATED, Scheme, quantize_layers

from .cells import PARTS, Part


def unchanged(network: nn.Module) -> nn.Module:
    """The network as it is."""
    return network


class Variant(NamedTuple):
    """What a variant does to a fresh network, and what it switches while networks are built and run."""

    prepare: Callable[[nn.Module], nn.Module] = unchanged
    scope: Callable[[], AbstractContextManager[object]] = nullcontext
    is_lossy: bool = False  # lossy variants are another class: the table keeps them apart
    parts: Collection[Part] = PARTS  # where it makes a difference
    is_captured: bool = False  # steps run as CUDA graphs
    needs_card: bool = False  # on other devices there is nothing to measure


LAYERS: tuple[Part, ...] = ("block", "transformer", "picture")
STEPS: tuple[Part, ...] = ("transformer", "picture")

PLAIN = Variant()

# cuDNN's attention where it can, then the others; PyTorch's own order tries it last.
CUDNN_FIRST = [
    SDPBackend.CUDNN_ATTENTION,
    SDPBackend.FLASH_ATTENTION,
    SDPBackend.EFFICIENT_ATTENTION,
    SDPBackend.MATH,
]


def multiplying_in(scheme: Scheme) -> Callable[[nn.Module], nn.Module]:
    """The transformer's main layers in 8 bits; other networks as they are. Shared weights stay as they are."""

    def prepare(network: nn.Module) -> nn.Module:
        if isinstance(network, S3DiT):
            quantize_layers(network, scheme)
        return network

    return prepare


VARIANTS: dict[str, Variant] = {
    "plain kernels": Variant(scope=lambda: use_kernels(PLAIN_KERNELS)),
    "stock kernels": Variant(scope=lambda: use_kernels(STOCK_KERNELS)),  # what a graphics card has without Triton
    "unfused attention": Variant(scope=lambda: sdpa_kernel(SDPBackend.MATH)),
    "cuDNN attention": Variant(scope=lambda: sdpa_kernel(CUDNN_FIRST, set_priority=True), needs_card=True),
    "graph": Variant(parts=STEPS, is_captured=True, needs_card=True),
    "graph and cuDNN attention": Variant(
        scope=lambda: sdpa_kernel(CUDNN_FIRST, set_priority=True), parts=STEPS, is_captured=True, needs_card=True
    ),
    "int8": Variant(prepare=multiplying_in(INT8), parts=LAYERS, is_lossy=True),
    "int8, not rotated": Variant(prepare=multiplying_in(INT8_UNROTATED), parts=LAYERS, is_lossy=True),
    "fp8": Variant(prepare=multiplying_in(FP8), parts=LAYERS, is_lossy=True),
}
