"""Weights on a device for a while, and back in their own memory afterwards, bit for bit.

Tensors keep their identity: only what they point at changes, so nobody who holds a parameter ever holds a stale one.
Nothing is copied back, as nothing is written while weights are away.
"""

from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from itertools import chain

import torch
from torch import Tensor, nn


def tensors_of(module: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """All parameters and buffers of a module by name; packed layers keep scales in either."""
    return chain(module.named_parameters(), module.named_buffers())


@contextmanager
def placed(tensors: Iterable[Tensor], device: torch.device | str) -> Generator[None, None, None]:
    """Tensors on a device for the length of a `with` block."""
    homes = [(tensor, tensor.data) for tensor in tensors]
    try:
        for tensor, home in homes:
            tensor.data = moved(home, torch.device(device))
        yield
    finally:
        for tensor, home in homes:
            tensor.data = home


@contextmanager
def module_placed(module: nn.Module, device: torch.device | str) -> Generator[None, None, None]:
    """A whole module on a device, for a text encoder or an autoencoder that comes and goes."""
    with placed([tensor for _, tensor in tensors_of(module)], device):
        yield


def moved(tensor: Tensor, device: torch.device) -> Tensor:
    """The same values on a device, in a tensor of the same kind: made in inference mode if this one was."""
    with torch.inference_mode(tensor.is_inference()):
        return tensor.to(device)
