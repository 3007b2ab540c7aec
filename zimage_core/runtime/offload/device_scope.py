"""Weights on a device for the length of a `with` block, and afterwards back in their own memory, bit for bit.

Parameters and buffers stay the same objects: only their `.data` is exchanged, so every reference to one stays valid.
Nothing is copied back, because weights are not written to while they are on the device.
"""

from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from itertools import chain

import torch
from torch import Tensor, nn


def named_tensors(module: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """All parameters and buffers of a module by name; quantized layers keep their scales in either."""
    return chain(module.named_parameters(), module.named_buffers())


@contextmanager
def tensors_on_device(tensors: Iterable[Tensor], device: torch.device | str) -> Generator[None, None, None]:
    """Tensors on a device for the length of a `with` block."""
    originals = [(tensor, tensor.data) for tensor in tensors]
    try:
        for tensor, data in originals:
            tensor.data = to_device(data, torch.device(device))
        yield
    finally:
        for tensor, data in originals:
            tensor.data = data


@contextmanager
def module_on_device(module: nn.Module, device: torch.device | str) -> Generator[None, None, None]:
    """A whole module on a device for the length of a `with` block."""
    with tensors_on_device([tensor for _, tensor in named_tensors(module)], device):
        yield


def to_device(tensor: Tensor, device: torch.device) -> Tensor:
    """`tensor.to(device)` that keeps the inference flag, without which `.data` could not be set."""
    with torch.inference_mode(tensor.is_inference()):
        return tensor.to(device)
