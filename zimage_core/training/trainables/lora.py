"""Adapters in training: side branches on the linear layers of a frozen transformer.

Queries, keys and values have an adapter each, as trainers have it whose networks keep the three apart. The branches are
float32 whatever the base computes in; the base may be quantized: a LoRA and a LoKr use nothing but its output.
"""

import re
from collections.abc import Callable, Generator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from ...adapters import N_PARTS, Delta, Lora, Target
from .branch import Branch, Place
from .dora_branch import DoraBranch
from .frozen_base import differentiable
from .kronecker_branch import KroneckerBranch
from .low_rank_branch import LowRankBranch
from .trainable import Trainable

KINDS: dict[str, type[LowRankBranch] | type[KroneckerBranch] | type[DoraBranch]] = {
    "lora": LowRankBranch,
    "lokr": KroneckerBranch,
    "dora": DoraBranch,
}

_LINEAR = r"\d+\.(attention\.(qkv|out)|feed_forward\.w[123])"
# attention and feed-forward of the main layers, without refiners and modulation: what most trainers choose
MAIN_LAYERS = rf"layers\.{_LINEAR}"
LAYERS = {"main": MAIN_LAYERS, "all": rf"(layers|noise_refiner|context_refiner)\.{_LINEAR}"}


class LoraTrainable(Trainable):
    """Branches of one of `KINDS` on the layers of `network` whose names match `layers`; `attached` switches them on."""

    def __init__(
        self,
        network: nn.Module,
        *,
        rank: int,
        alpha: float,
        generator: torch.Generator,
        layers: str = MAIN_LAYERS,
        kind: str = "lora",
    ) -> None:
        super().__init__()
        self.network = (network,)  # in a tuple, so that its parameters are not this module's
        self.names = [name for name, _ in network.named_modules() if re.fullmatch(layers, name)]
        if not self.names:
            raise ValueError(f"no layer of the model matches {layers!r}; choose another pattern")
        make = KINDS[kind]
        self.branches = nn.ModuleList(make(_place(network, name), rank, alpha, generator) for name in self.names)

    @contextmanager
    def attached(self, strength: float = 1.0) -> Generator[None]:
        """The network computes with the branches, or a share of them; afterwards it is as before."""
        (network,) = self.network
        layers = [network.get_submodule(name) for name in self.names]
        with differentiable(network):
            own = [vars(layer).get("forward") for layer in layers]
            # an attribute and no hook: quantized layers then get their input in floats (`shared_quant_spec`)
            for layer, branch in zip(layers, self.branches, strict=True):
                layer.forward = _with_branch(layer.forward, branch, strength)
            try:
                yield
            finally:
                for layer, forward in zip(layers, own, strict=True):
                    del layer.forward
                    if forward is not None:
                        layer.forward = forward

    def lora(self, name: str, dtype: torch.dtype = torch.float32) -> Lora:
        """The branches as the content of a LoRA file, on the CPU."""
        deltas: dict[Target, Delta] = {}
        for layer, branch in zip(self.names, self.branches, strict=True):
            assert isinstance(branch, Branch)
            parts = branch.deltas(dtype)
            for part, delta in enumerate(parts):
                deltas[Target(f"{layer}.weight", part if len(parts) > 1 else None)] = delta
        return Lora(file=name, family="Z-Image nodes", deltas=deltas)


def _with_branch(forward: Callable[[Tensor], Tensor], branch: nn.Module, strength: float) -> Callable[[Tensor], Tensor]:
    def both(x: Tensor) -> Tensor:
        out = forward(x)
        change = branch(x, out)
        return out + (change if strength == 1 else strength * change)

    return both


def _place(network: nn.Module, name: str) -> Place:
    """A linear layer of the network, quantized or not."""
    layer = network.get_submodule(name)
    height, width = getattr(layer, "out_features", None), getattr(layer, "in_features", None)
    if height is None or width is None:
        raise ValueError(f"{name} is no linear layer, so it can have no adapter; choose another pattern")
    n_parts = N_PARTS if name.endswith(".qkv") else 1
    return Place(layer, height // n_parts, width, n_parts)
