"""LoRAs injected into a network and ejected again, after which the network is exactly as before.

A weight is replaced by a changed copy, never added to and subtracted from, so that ejecting restores the very tensor
that was there. A quantized layer keeps its weight and gets a side branch instead (y = layer(x) + x @ dW.T), because
changing the weight would quantize it a second time. Deltas that depend on W have such a branch too (`side_branch.py`).
"""

from collections import defaultdict
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import torch
from torch import Tensor, nn

from .deltas import Delta, DoRA, tensors_of, to_device
from .lora import AdapterError, Lora, Target
from .side_branch import SideBranch, can_unpack, change_of, side_branch_output, unpacked_weight

Forward = Callable[..., Tensor]

EJECTED_FROM = "ejected_from"  # attribute of an ejected side branch's forward: the forward that it wrapped


class ScaledDelta(NamedTuple):
    """One delta, where it applies and how strongly."""

    target: Target
    delta: Delta
    strength: float


class Injection:
    """LoRAs inside a network until they are ejected. Of two injections, the later has to be ejected first."""

    def __init__(self) -> None:
        self._undo: list[Callable[[], None]] = []

    def merge(self, layer: nn.Module, name: str, deltas: Sequence[ScaledDelta]) -> None:
        """Replace the layer's parameter of this name by one with the deltas merged in."""
        original: nn.Parameter = getattr(layer, name)
        merged = nn.Parameter(merged_weight(original.detach(), deltas), requires_grad=False)
        setattr(layer, name, merged)

        def undo() -> None:
            _check_last(getattr(layer, name) is merged)
            setattr(layer, name, original)

        self._undo.append(undo)

    def add_side_branch(
        self, layer: nn.Module, deltas: Sequence[ScaledDelta], device: torch.device | None = None
    ) -> None:
        """Add the deltas to the layer's output. Their tensors move to `device`, if one is given."""
        self.add_branches(layer, [side_branch(delta, layer, device) for delta in deltas])

    def add_branches(self, layer: nn.Module, given: Sequence[SideBranch]) -> None:
        """Add side branches that were made before to the layer's output."""
        branches = list(given)
        # an instance attribute instead of a forward hook, because torch.compile recompiles when it changes
        had_own = "forward" in vars(layer)
        original: Forward = layer.forward
        while hasattr(original, EJECTED_FROM):  # an ejected one that another wrapper still calls: do not pile them up
            original = getattr(original, EJECTED_FROM)
        is_injected = True

        def forward(x: Tensor, *args: object, **kwargs: object) -> Tensor:
            out = original(x, *args, **kwargs)
            if not is_injected:
                return out
            return out + side_branch_output(x, out, branches, original, getattr(layer, "bias", None))

        layer.forward = forward

        def undo() -> None:
            nonlocal is_injected
            is_injected = False  # a wrapper added since then keeps calling this forward, which now adds nothing
            branches.clear()
            setattr(forward, EJECTED_FROM, original)
            if layer.forward is not forward:
                return
            if had_own:
                layer.forward = original
            else:
                del layer.forward

        self._undo.append(undo)

    def eject(self) -> None:
        """Restore the network's own weights and layers. A second call does nothing."""
        while self._undo:
            self._undo[-1]()
            self._undo.pop()


def inject(network: nn.Module, loras: Sequence[tuple[Lora, float]], device: torch.device | None = None) -> Injection:
    """Inject LoRAs at their strengths; they add up. `device` is where side branches run, if known.

    A strength of 0 leaves the network untouched. Raises `AdapterError`, before anything is changed, for a LoRA that
    does not fit the network (`Lora.fitted`) or a DoRA on a layer whose weight cannot be unpacked.
    """
    injection = Injection()
    for parameter, deltas in deltas_by_parameter(network, loras).items():
        owner, _, name = parameter.rpartition(".")
        layer = network.get_submodule(owner)
        if is_quantized(layer, name):
            injection.add_side_branch(layer, deltas, device)
        else:
            injection.merge(layer, name, deltas)
    return injection


def deltas_by_parameter(network: nn.Module, loras: Sequence[tuple[Lora, float]]) -> dict[str, list[ScaledDelta]]:
    """The deltas of every parameter that changes, all checked against the network. Strengths of 0 are left out."""
    shapes = parameter_shapes(network)
    deltas: defaultdict[str, list[ScaledDelta]] = defaultdict(list)
    for lora, strength in loras:
        for target, delta in lora.fitted(shapes).deltas.items():
            if strength:
                deltas[target.parameter].append(ScaledDelta(target, delta, strength))
    for parameter, scaled in deltas.items():
        _check_possible(network.get_submodule(parameter.rpartition(".")[0]), parameter, scaled)
    return dict(deltas)


@contextmanager
def injected(network: nn.Module, *loras: tuple[Lora, float]) -> Generator[nn.Module, None, None]:
    """The network with LoRAs injected for the length of a `with` block."""
    injection = inject(network, loras)
    try:
        yield network
    finally:
        injection.eject()


def merged_weight(weight: Tensor, deltas: Sequence[ScaledDelta]) -> Tensor:
    """W + sum of strength · dW, each dW from the original W, summed in float32 and rounded to W's dtype once."""
    original = weight.float()
    return (original + total_change(original, deltas)).to(weight.dtype)


def total_change(weight: Tensor, deltas: Sequence[ScaledDelta]) -> Tensor:
    """The sum of strength · dW for a float32 weight W, each dW from W itself, so that their order does not matter."""
    total = torch.zeros_like(weight)
    for target, delta, strength in deltas:
        rows = slice(*target.rows(len(weight)))
        total[rows] += delta.change(weight[rows], strength)
    return total


def is_quantized(layer: nn.Module, name: str = "weight") -> bool:
    """Whether a layer's weight matrix has fewer than 16 bits a value, or is of a tensor class that packs them."""
    weight = getattr(layer, name)
    if name != "weight" or weight.ndim < 2:
        return False  # norms and biases cannot have a side branch, and lose little when rounded again
    is_sharded = hasattr(weight, "placements")  # a DTensor; its class is named nowhere, as some builds have none
    return (type(weight) not in (nn.Parameter, Tensor) and not is_sharded) or weight.dtype.itemsize < 2


def quantized_layers(network: nn.Module) -> dict[str, nn.Module]:
    """The linear layers whose weights are quantized, by their names."""
    layers = network.named_modules()
    return {name: layer for name, layer in layers if hasattr(layer, "in_features") and is_quantized(layer)}


def parameter_shapes(network: nn.Module) -> dict[str, tuple[int, ...]]:
    """The logical shape of every parameter: for linear layers from their features, as packed weights are smaller."""
    shapes: dict[str, tuple[int, ...]] = {}
    for path, layer in network.named_modules():
        for name, parameter in layer.named_parameters(recurse=False):
            height, width = getattr(layer, "out_features", 0), getattr(layer, "in_features", 0)
            is_matrix = name == "weight" and height and width
            shapes[f"{path}.{name}" if path else name] = (height, width) if is_matrix else tuple(parameter.shape)
    return shapes


def side_branch(scaled: ScaledDelta, layer: nn.Module, device: torch.device | None = None) -> SideBranch:
    """A delta at its strength beside a layer, its tensors on `device`, if one is given."""
    target, delta, strength = scaled
    delta = delta if device is None else to_device(delta, device)

    def unpack() -> Tensor:
        weight = unpacked_weight(layer, device)
        return weight[slice(*target.rows(len(weight)))].to(tensors_of(delta)[0].device)

    return SideBranch(target, change_of(delta, strength, unpack))


def _check_possible(layer: nn.Module, parameter: str, deltas: Sequence[ScaledDelta]) -> None:
    """Raise `AdapterError` for a DoRA on a weight of an unknown format, since its lengths cannot be measured."""
    is_unknown = is_quantized(layer, parameter.rpartition(".")[2]) and not can_unpack(layer)
    if is_unknown and any(isinstance(scaled.delta, DoRA) for scaled in deltas):
        raise AdapterError(
            f"{parameter} is quantised in a form that cannot be unpacked here, and a DoRA needs the lengths of its "
            "rows; load the model in bfloat16 for this file"
        )


def _check_last(is_last: bool) -> None:
    if not is_last:
        raise AdapterError("another adapter was injected after this one; eject that one first")
