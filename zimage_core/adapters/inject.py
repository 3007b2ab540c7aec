"""Adapters put into a network and taken out again without a trace.

A weight is replaced, never added to and subtracted from, so that taking an adapter out gives back the very tensor that
was there. A layer whose weight is quantised keeps it and gets a side branch, since adding to such a weight would round
it a second time.
"""

from collections import defaultdict
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import torch
from torch import Tensor, nn

from .deltas.dora import Additive, Delta, moved
from .lora import AdapterError, Lora, Target

Forward = Callable[..., Tensor]

EJECTED = "ejected_from"  # on a forward that adds nothing any more: the one it stood before


class Change(NamedTuple):
    """One delta at one strength."""

    target: Target
    delta: Delta
    strength: float


class Branch(NamedTuple):
    """The same of a kind that runs beside its layer."""

    target: Target
    delta: Additive
    strength: float


class Injection:
    """Adapters inside a network, until they are ejected; the later of two must be ejected first."""

    def __init__(self) -> None:
        self._undo: list[Callable[[], None]] = []

    def merge(self, layer: nn.Module, name: str, changes: Sequence[Change]) -> None:
        """Put the changed weight in the place of the layer's own."""
        plain: nn.Parameter = getattr(layer, name)
        changed = nn.Parameter(changed_weight(plain.detach(), changes), requires_grad=False)
        setattr(layer, name, changed)

        def undo() -> None:
            _check_last(getattr(layer, name) is changed)
            setattr(layer, name, plain)

        self._undo.append(undo)

    def branch(self, layer: nn.Module, changes: Sequence[Change], device: torch.device | None) -> None:
        """Let the layer add the changes to its output."""
        branches = [_branch_of(change, device) for change in changes]
        # hung on the object, as compiled graphs notice that and no torch hook
        had_own = "forward" in vars(layer)
        plain: Forward = layer.forward
        while hasattr(plain, EJECTED):  # left behind below another's wrapper; not to be stacked on for ever
            plain = getattr(plain, EJECTED)
        is_in = True

        def forward(x: Tensor, *args: object, **kwargs: object) -> Tensor:
            out = plain(x, *args, **kwargs)
            return out + branch_output(x, out, branches) if is_in else out

        layer.forward = forward

        def undo() -> None:
            nonlocal is_in
            is_in = False  # whoever wrapped this since keeps a plain layer
            branches.clear()
            setattr(forward, EJECTED, plain)
            if layer.forward is not forward:
                return
            if had_own:
                layer.forward = plain
            else:
                del layer.forward

        self._undo.append(undo)

    def eject(self) -> None:
        """Give the network back its own weights and layers. A second time does nothing."""
        while self._undo:
            self._undo[-1]()
            self._undo.pop()


def inject(network: nn.Module, loras: Sequence[tuple[Lora, float]], device: torch.device | None = None) -> Injection:
    """Put adapters into a network at their strengths; they add up. `device` is where side branches run, if known.

    Every file must fit (`Lora.fitted`); a strength of 0 leaves the network untouched.
    """
    injection = Injection()
    for parameter, changes in collect(network, loras).items():
        owner, _, name = parameter.rpartition(".")
        layer = network.get_submodule(owner)
        if is_quantised(layer, name):
            injection.branch(layer, changes, device)
        else:
            injection.merge(layer, name, changes)
    return injection


def collect(network: nn.Module, loras: Sequence[tuple[Lora, float]]) -> dict[str, list[Change]]:
    """What happens to each parameter, once it is certain that all of it can. A strength of 0 is no change."""
    shapes = parameter_shapes(network)
    changes: defaultdict[str, list[Change]] = defaultdict(list)
    for lora, strength in loras:
        for target, delta in lora.fitted(shapes).deltas.items():
            if strength:
                changes[target.parameter].append(Change(target, delta, strength))
    for parameter, wanted in changes.items():
        _check_possible(network.get_submodule(parameter.rpartition(".")[0]), parameter, wanted)
    return dict(changes)


@contextmanager
def injected(network: nn.Module, *loras: tuple[Lora, float]) -> Generator[nn.Module, None, None]:
    """The network with adapters inside, for the length of a `with` block."""
    injection = inject(network, loras)
    try:
        yield network
    finally:
        injection.eject()


def changed_weight(weight: Tensor, changes: Sequence[Change]) -> Tensor:
    """The weight with all changes, each formed against the plain weight, added in float32 and rounded once."""
    plain = weight.float()
    total = torch.zeros_like(plain)
    for target, delta, strength in changes:
        rows = slice(*target.rows(len(plain)))
        total[rows] += strength * delta.change(plain[rows])
    return (plain + total).to(weight.dtype)


def branch_output(x: Tensor, out: Tensor, branches: Sequence[Branch]) -> Tensor:
    """What the changes add to a layer's output `out` for its input x."""
    total = torch.zeros_like(out)
    for target, delta, strength in branches:
        start, stop = target.rows(out.shape[-1])
        total[..., start:stop] += strength * delta.branch(x)
    return total


def is_quantised(layer: nn.Module, name: str = "weight") -> bool:
    """Whether a layer's matrix is kept in fewer than 16 bits, or in a tensor class that packs it."""
    weight = getattr(layer, name)
    if name != "weight" or weight.ndim < 2:
        return False  # norms and biases have no side to branch to, and lose little
    return type(weight) not in (nn.Parameter, Tensor) or weight.dtype.itemsize < 2


def parameter_shapes(network: nn.Module) -> dict[str, tuple[int, ...]]:
    """The shape of every parameter; a linear layer tells its own, as packed weights have others."""
    shapes: dict[str, tuple[int, ...]] = {}
    for path, layer in network.named_modules():
        for name, parameter in layer.named_parameters(recurse=False):
            height, width = getattr(layer, "out_features", 0), getattr(layer, "in_features", 0)
            is_matrix = name == "weight" and height and width
            shapes[f"{path}.{name}" if path else name] = (height, width) if is_matrix else tuple(parameter.shape)
    return shapes


def _branch_of(change: Change, device: torch.device | None) -> Branch:
    assert isinstance(change.delta, Additive)
    delta = change.delta if device is None else moved(change.delta, device)
    return Branch(change.target, delta, change.strength)


def _check_possible(layer: nn.Module, parameter: str, changes: Sequence[Change]) -> None:
    name = parameter.rpartition(".")[2]
    for change in changes:
        if is_quantised(layer, name) and not isinstance(change.delta, Additive):
            raise AdapterError(
                f"{parameter} is quantised and cannot take a {change.delta.kind}, which needs the weight itself; "
                "load the model in bfloat16 for this file"
            )


def _check_last(is_last: bool) -> None:
    if not is_last:
        raise AdapterError("another adapter was injected after this one; eject that one first")
