"""Variants of our networks: one optimization off, or one opt-in on. Examples of entries:

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

from .workloads import PARTS, Part


def unchanged(network: nn.Module) -> nn.Module:
    """The network itself."""
    return network


class Variant(NamedTuple):
    """`prepare` modifies a new network; `scope` holds settings while networks are built and run."""

    prepare: Callable[[nn.Module], nn.Module] = unchanged
    scope: Callable[[], AbstractContextManager[object]] = nullcontext
    is_lossy: bool = False  # marked in the table, as not comparable with lossless ones
    parts: Collection[Part] = PARTS  # the parts it affects
    is_captured: bool = False  # sampling steps run as CUDA graphs
    needs_cuda: bool = False  # skipped on other devices


BLOCK_PARTS: tuple[Part, ...] = ("block", "transformer", "picture")
STEP_PARTS: tuple[Part, ...] = ("transformer", "picture")

DEFAULT_VARIANT = Variant()

# cuDNN attention where supported, then the others; PyTorch's default order tries it last.
CUDNN_FIRST = [
    SDPBackend.CUDNN_ATTENTION,
    SDPBackend.FLASH_ATTENTION,
    SDPBackend.EFFICIENT_ATTENTION,
    SDPBackend.MATH,
]


def quantized_to(scheme: Scheme) -> Callable[[nn.Module], nn.Module]:
    """A `prepare` that quantizes the transformer's main layers; the shared weights are not modified."""

    def prepare(network: nn.Module) -> nn.Module:
        if isinstance(network, S3DiT):
            quantize_layers(network, scheme)
        return network

    return prepare


VARIANTS: dict[str, Variant] = {
    "plain kernels": Variant(scope=lambda: use_kernels(PLAIN_KERNELS)),
    "stock kernels": Variant(scope=lambda: use_kernels(STOCK_KERNELS)),  # used on GPUs without Triton
    "unfused attention": Variant(scope=lambda: sdpa_kernel(SDPBackend.MATH)),
    "cuDNN attention": Variant(scope=lambda: sdpa_kernel(CUDNN_FIRST, set_priority=True), needs_cuda=True),
    "graph": Variant(parts=STEP_PARTS, is_captured=True, needs_cuda=True),
    "graph and cuDNN attention": Variant(
        scope=lambda: sdpa_kernel(CUDNN_FIRST, set_priority=True), parts=STEP_PARTS, is_captured=True, needs_cuda=True
    ),
    "int8": Variant(prepare=quantized_to(INT8), parts=BLOCK_PARTS, is_lossy=True),
    "int8, not rotated": Variant(prepare=quantized_to(INT8_UNROTATED), parts=BLOCK_PARTS, is_lossy=True),
    "fp8": Variant(prepare=quantized_to(FP8), parts=BLOCK_PARTS, is_lossy=True),
}
