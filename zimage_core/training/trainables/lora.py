"""A LoRA in training: low-rank side branches on the linear layers of a frozen transformer.

Letters: p parts (queries, keys and values of a fused layer; 1 elsewhere), r rank, i input width, o output width.

Queries, keys and values have an adapter each, as trainers have it whose networks keep the three apart. The factors are
float32 whatever the base computes in; the base may be quantized, as nothing but its output is used.
"""

import re
from collections.abc import Callable, Generator
from contextlib import contextmanager

import torch
from einops import einsum, rearrange
from torch import Tensor, nn

from ..._shapes import Float
from ...adapters import N_PARTS, Lora, LowRank, Target
from .frozen_base import differentiable
from .trainable import Trainable

# attention and feed-forward of the main layers, without refiners and modulation: what most trainers choose
MAIN_LAYERS = r"layers\.\d+\.(attention\.(qkv|out)|feed_forward\.w[123])"


class LowRankBranch(nn.Module):
    """scale · up @ down, added to a layer's output part by part of its rows; nothing at first, as `up` is zero."""

    def __init__(
        self, features: tuple[int, int], n_parts: int, rank: int, alpha: float, generator: torch.Generator
    ) -> None:
        super().__init__()
        height, width = features[0] // n_parts, features[1]
        bound = width**-0.5  # of a uniform distribution, as PEFT and LyCORIS draw it
        drawn = torch.rand(n_parts, rank, width, generator=generator)
        self.down = nn.Parameter((2 * drawn - 1) * bound)
        self.up = nn.Parameter(torch.zeros(n_parts, height, rank))
        self.scale = alpha / rank

    def forward(self, x: Float[Tensor, "... i"]) -> Float[Tensor, "... po"]:
        hidden = einsum(x, self.down.to(x.dtype), "... i, p r i -> ... p r")
        out = einsum(hidden, self.up.to(x.dtype), "... p r, p o r -> ... p o")
        return self.scale * rearrange(out, "... p o -> ... (p o)")


class LoraTrainable(Trainable):
    """Side branches on the layers of `network` whose names match `layers`; `attached` switches them on."""

    def __init__(
        self, network: nn.Module, *, rank: int, alpha: float, generator: torch.Generator, layers: str = MAIN_LAYERS
    ) -> None:
        super().__init__()
        self.network = (network,)  # in a tuple, so that its parameters are not this module's
        self.alpha = alpha
        self.names = [name for name, _ in network.named_modules() if re.fullmatch(layers, name)]
        if not self.names:
            raise ValueError(f"no layer of the model matches {layers!r}; choose another pattern")
        self.branches = nn.ModuleList(
            LowRankBranch(_features(network, name), N_PARTS if name.endswith(".qkv") else 1, rank, alpha, generator)
            for name in self.names
        )

    @contextmanager
    def attached(self) -> Generator[None]:
        """The network computes with the branches; afterwards it is as before."""
        (network,) = self.network
        layers = [network.get_submodule(name) for name in self.names]
        with differentiable(network):
            own = [vars(layer).get("forward") for layer in layers]
            # an attribute and no hook: quantized layers then get their input in floats (`shared_quant_spec`)
            for layer, branch in zip(layers, self.branches, strict=True):
                layer.forward = _with_branch(layer.forward, branch)
            try:
                yield
            finally:
                for layer, forward in zip(layers, own, strict=True):
                    del layer.forward
                    if forward is not None:
                        layer.forward = forward

    def lora(self, name: str, dtype: torch.dtype = torch.float32) -> Lora:
        """The branches as a LoRA, on the CPU."""
        deltas: dict[Target, LowRank] = {}
        for layer, branch in zip(self.names, self.branches, strict=True):
            assert isinstance(branch, LowRankBranch)
            for part, (up, down) in enumerate(zip(branch.up, branch.down, strict=True)):
                factors = {"up": up.detach().to("cpu", dtype), "down": down.detach().to("cpu", dtype)}
                target = Target(f"{layer}.weight", part if len(branch.up) > 1 else None)
                deltas[target] = LowRank(**factors, alpha=self.alpha)
        return Lora(file=name, family="Z-Image nodes", deltas=deltas)


def _with_branch(forward: Callable[[Tensor], Tensor], branch: nn.Module) -> Callable[[Tensor], Tensor]:
    def both(x: Tensor) -> Tensor:
        return forward(x) + branch(x)

    return both


def _features(network: nn.Module, name: str) -> tuple[int, int]:
    """Output and input width of a linear layer, quantized or not."""
    layer = network.get_submodule(name)
    features = getattr(layer, "out_features", None), getattr(layer, "in_features", None)
    if features[0] is None or features[1] is None:
        raise ValueError(f"{name} is no linear layer, so it can have no LoRA; choose another pattern")
    return features[0], features[1]
