"""Our networks with one optimisation off, or one opt-in on. Each is one entry:

VARIANTS["plain kernels"] = Variant(scope=lambda: only(PLAIN_KERNELS))
VARIANTS["int8"] = Variant(prepare=quantised, is_lossy=True)
"""

from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from types import ModuleType
from typing import NamedTuple

from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from zimage_core.kernels import PLAIN as PLAIN_KERNELS
from zimage_core.kernels import only


def unchanged(network: nn.Module) -> nn.Module:
    """The network as it is."""
    return network


class Variant(NamedTuple):
    """What a variant does to a fresh network, and what it switches while networks are built and run."""

    prepare: Callable[[nn.Module], nn.Module] = unchanged
    scope: Callable[[], AbstractContextManager[object]] = nullcontext
    is_lossy: bool = False  # lossy variants are another class: the table keeps them apart


PLAIN = Variant()

VARIANTS: dict[str, Variant] = {
    "plain kernels": Variant(scope=lambda: only(PLAIN_KERNELS)),
    "unfused attention": Variant(scope=lambda: sdpa_kernel(SDPBackend.MATH)),
}


@contextmanager
def setting(module: ModuleType | type, name: str, value: object) -> Generator[None]:
    """A module's or class's attribute for the time being."""
    before = getattr(module, name)
    setattr(module, name, value)
    try:
        yield
    finally:
        setattr(module, name, before)
