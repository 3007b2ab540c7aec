"""LoRAs injected into a network and ejected again, after which the network is exactly as before.

A weight is replaced by a changed copy, never added to and subtracted from, so that ejecting restores the very tensor
that was there. A quantized layer keeps its weight and gets a side branch instead (y = layer(x) + x @ dW.T), because
changing the weight would quantize it a second time.
"""

from collections import defaultdict
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import torch
from torch import Tensor, nn

from .deltas import Additive, Delta, to_device
from .lora import AdapterError, Lora, Target

Forward = Callable[..., Tensor]

EJECTED_FROM = "ejected_from"  # attribute of an ejected side branch's forward: the forward that it wrapped


class ScaledDelta(NamedTuple):
    """One delta, where it applies and how strongly."""

    target: Target
    delta: Delta
    strength: float


class SideBranch(NamedTuple):
    """A scaled delta that is applied beside its layer."""

    target: Target
    delta: Additive
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
        branches = [_side_branch(delta, device) for delta in deltas]
        # an instance attribute instead of a forward hook, because torch.compile recompiles when it changes
        had_own = "forward" in vars(layer)
        original: Forward = layer.forward
        while hasattr(original, EJECTED_FROM):  # an ejected one that another wrapper still calls: do not pile them up
            original = getattr(original, EJECTED_FROM)
        is_injected = True

        def forward(x: Tensor, *args: object, **kwargs: object) -> Tensor:
            out = original(x, *args, **kwargs)
            return out + side_branch_output(x, out, branches) if is_injected else out

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
    does not fit the network (`Lora.fitted`) or a delta that a quantized layer cannot take.
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
    total = torch.zeros_like(original)
    for target, delta, strength in deltas:
        rows = slice(*target.rows(len(original)))
        total[rows] += delta.change(original[rows], strength)
    return (original + total).to(weight.dtype)


def side_branch_output(x: Tensor, out: Tensor, branches: Sequence[SideBranch]) -> Tensor:
    """sum of strength · x @ dW.T for a layer's input x (..., i), in shape and dtype of its output `out` (..., o)."""
    total = torch.zeros_like(out)
    for target, delta, strength in branches:
        start, stop = target.rows(out.shape[-1])
        total[..., start:stop] += strength * delta.apply(x)
    return total


def is_quantized(layer: nn.Module, name: str = "weight") -> bool:
    """Whether a layer's weight matrix has fewer than 16 bits a value, or is of a tensor class that packs them."""
    weight = getattr(layer, name)
    if name != "weight" or weight.ndim < 2:
        return False  # norms and biases cannot have a side branch, and lose little when rounded again
    return type(weight) not in (nn.Parameter, Tensor) or weight.dtype.itemsize < 2


def parameter_shapes(network: nn.Module) -> dict[str, tuple[int, ...]]:
    """The logical shape of every parameter: for linear layers from their features, as packed weights are smaller."""
    shapes: dict[str, tuple[int, ...]] = {}
    for path, layer in network.named_modules():
        for name, parameter in layer.named_parameters(recurse=False):
            height, width = getattr(layer, "out_features", 0), getattr(layer, "in_features", 0)
            is_matrix = name == "weight" and height and width
            shapes[f"{path}.{name}" if path else name] = (height, width) if is_matrix else tuple(parameter.shape)
    return shapes


def _side_branch(scaled: ScaledDelta, device: torch.device | None) -> SideBranch:
    assert isinstance(scaled.delta, Additive)
    delta = scaled.delta if device is None else to_device(scaled.delta, device)
    return SideBranch(scaled.target, delta, scaled.strength)


def _check_possible(layer: nn.Module, parameter: str, deltas: Sequence[ScaledDelta]) -> None:
    name = parameter.rpartition(".")[2]
    for scaled in deltas:
        if is_quantized(layer, name) and not isinstance(scaled.delta, Additive):
            raise AdapterError(
                f"{parameter} is quantised and cannot take a {scaled.delta.kind}, which needs the weight itself; "
                "load the model in bfloat16 for this file"
            )


def _check_last(is_last: bool) -> None:
    if not is_last:
        raise AdapterError("another adapter was injected after this one; eject that one first")
