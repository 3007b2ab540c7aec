"""Which layers of S3-DiT change to 8-bit arithmetic, and how.

Kept as they are: embedders, adaLN and the final layer, which are small and feed everything; the refiners, whose errors
every layer inherits; all norms. At full size the main layers hold 86 % of the weights and 94 % of the products.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import nn

from ..kernels.rotation import largest_group
from ..model import S3DiT
from .fp8 import Fp8Linear
from .int8 import Int8Linear

MATRICES = ("attention.qkv", "attention.out", "feed_forward.w1", "feed_forward.w2", "feed_forward.w3")


@dataclass(frozen=True, kw_only=True)
class Scheme:
    """A way to store and multiply the main layers' matrices."""

    name: str
    pack: Callable[[nn.Linear], nn.Module]
    matrices: tuple[str, ...] = MATRICES

    def __post_init__(self) -> None:
        unknown = set(self.matrices) - set(MATRICES)
        if unknown:
            raise ValueError(f"{sorted(unknown)} are no matrices of a layer; those are {', '.join(MATRICES)}")


def _rotated_int8(linear: nn.Linear) -> Int8Linear:
    return Int8Linear(linear.weight, largest_group(linear.in_features))


INT8 = Scheme(name="int8", pack=_rotated_int8)
INT8_UNROTATED = Scheme(name="int8, not rotated", pack=lambda linear: Int8Linear(linear.weight, None))
FP8 = Scheme(name="fp8", pack=lambda linear: Fp8Linear(linear.weight))


@torch.no_grad()
def quantise(dit: S3DiT, scheme: Scheme) -> int:
    """Change the main layers' matrices in place, one at a time; how many. LoRAs run beside such layers from then on."""
    count = 0
    for owner, name, linear in list(matrices(dit, scheme)):
        setattr(owner, name, scheme.pack(linear))
        count += 1
    return count


def matrices(dit: S3DiT, scheme: Scheme) -> Iterator[tuple[nn.Module, str, nn.Linear]]:
    """The layers a scheme would change, with the module that holds each and its name there."""
    for block in dit.layers:
        for path in scheme.matrices:
            part, _, name = path.partition(".")
            linear = block.get_submodule(path)
            if isinstance(linear, nn.Linear):
                yield block.get_submodule(part), name, linear
