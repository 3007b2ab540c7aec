"""LoRAs whose strength changes between the steps of a run, as model wrappers for any Z-Image MODEL.

Weight patches would have to be merged anew at every change. Instead the layers get side branches
(y = layer(x) + strength · x @ dW.T) for the length of one call of the network, and at a step where the strength is 0
nothing at all. Copies of the LoRAs on the GPU live as long as the run.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import torch
from comfy.patcher_extension import WrappersMP
from torch import Tensor, nn

from ....zimage_core.adapters import (
    Additive,
    Injection,
    Lora,
    ScaledDelta,
    tensors_of,
    with_tensors,
)
from ....zimage_core.checkpoints import Row, fixed_part, header_of
from ..network.conditions import WEIGHTS_AT_STEP
from ..network.cuda_graphs import CUDA_GRAPHS
from .run_state import options_of_run, replace_wrappers

KEY = "zimage_lora_windows"
HALVINGS = 30  # of the interval in which a sigma's progress lies
DIGITS = 4  # of a progress, so that a step on a window's edge is on its inner side


class Window(NamedTuple):
    """A LoRA and its strength at a progress of the sampling from 0 to 1."""

    lora: Lora
    strength_at: Callable[[float], float]


def with_windows(model: Any, windows: Sequence[Window]) -> Any:
    """A clone of the MODEL with LoRAs, each checked by `check_may_change`, beside those of an earlier node."""
    clone = model.clone()
    earlier = [window for wrapper in model.get_wrappers(WrappersMP.OUTER_SAMPLE, KEY) for window in wrapper.args[0]]
    wrappers = {
        WrappersMP.OUTER_SAMPLE: partial(sample_with_windows, (*earlier, *windows)),
        WrappersMP.DIFFUSION_MODEL: call_with_branches,
    }
    replace_wrappers(clone, KEY, wrappers)
    return clone


def check_may_change(line: int, lora: Lora) -> None:
    """Raise `ValueError` for a LoRA that is more than additions to the matrices of layers."""
    kinds = {delta.kind for delta in lora.deltas.values() if not isinstance(delta, Additive)}
    others = {target.parameter for target, delta in lora.deltas.items() if len(delta.shape) != 2}
    others |= {target.parameter for target in lora.deltas if "." not in target.parameter}  # pad tokens
    _check(line, lora.file, min(kinds or others, default=""))


def check_header(row: Row, path: str) -> None:
    """Raise `ValueError` for a row whose strength changes and whose file's header tells that it cannot."""
    if row.strength.acts and not row.strength.is_constant:
        header = header_of(Path(path))
        _check(row.line, header.file, fixed_part(header.tensors, row.strength))


def _check(line: int, file: str, found: str) -> None:
    if found:
        raise ValueError(
            f"Line {line}: {file} cannot change its strength between steps, because it holds more than additions "
            f"to layers ({found}). Leave out @ and > in this line."
        )


class Run:
    """One sampling run: its schedule, and the deltas on the device that calls the network."""

    def __init__(self, windows: Sequence[Window], percent_to_sigma: Callable[[float], Any]) -> None:
        self.windows = windows
        self.percent_to_sigma = percent_to_sigma
        self.deltas: dict[torch.device, dict[str, list[tuple[int, ScaledDelta]]]] = {}  # by parameter, with the window

    def strengths(self, sigma: float) -> tuple[float, ...]:
        """Of every window at a noise level."""
        progress = progress_at(sigma, self.percent_to_sigma)
        return tuple(window.strength_at(progress) for window in self.windows)

    def inject(
        self, injection: Injection, network: nn.Module, strengths: Sequence[float], device: torch.device
    ) -> None:
        """Add the side branches of windows that act to a network, until the injection is ejected."""
        if device not in self.deltas:
            self.deltas[device] = self._on(device)
        for parameter, numbered in self.deltas[device].items():
            active = [scaled._replace(strength=strengths[each]) for each, scaled in numbered if strengths[each]]
            if active:
                injection.add_side_branch(network.get_submodule(parameter.rpartition(".")[0]), active)

    def _on(self, device: torch.device) -> dict[str, list[tuple[int, ScaledDelta]]]:
        deltas: defaultdict[str, list[tuple[int, ScaledDelta]]] = defaultdict(list)
        for index, window in enumerate(self.windows):
            for target, delta in window.lora.deltas.items():
                moved = with_tensors(delta, (tensor.to(device) for tensor in tensors_of(delta)))
                deltas[target.parameter].append((index, ScaledDelta(target, moved, 1.0)))
        return deltas


def sample_with_windows(windows: Sequence[Window], executor: Any, *args: Any, **kwargs: Any) -> Tensor:
    """OUTER_SAMPLE wrapper: one sampling run with LoRAs that change."""
    guider = executor.class_obj
    schedule = guider.model_patcher.get_model_object("model_sampling")
    with options_of_run(guider, {KEY: Run(windows, schedule.percent_to_sigma)}):
        return executor(*args, **kwargs)


def call_with_branches(executor: Any, x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    """DIFFUSION_MODEL wrapper: one network call at the strengths of its noise level."""
    options: dict[str, Any] = kwargs.get("transformer_options", {})
    run: Run | None = options.get(KEY)
    if run is None:
        return executor(x, *args, **kwargs)
    strengths = run.strengths(float(options["sigmas"].flatten()[0]))
    if not any(strengths):
        return executor(x, *args, **kwargs)
    changed = {name: value for name, value in options.items() if name != CUDA_GRAPHS}  # a graph repeats old strengths
    kwargs["transformer_options"] = {**changed, WEIGHTS_AT_STEP: strengths}
    injection = Injection()
    try:
        run.inject(injection, executor.class_obj, strengths, x.device)
        return executor(x, *args, **kwargs)
    finally:
        injection.eject()


def progress_at(sigma: float, percent_to_sigma: Callable[[float], Any]) -> float:
    """The percent (0 to 1) of a schedule at a noise level: the inverse of a function that falls, by halving."""
    low, high = 0.0, 1.0
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        if float(percent_to_sigma(middle)) > sigma:
            low = middle
        else:
            high = middle
    return round(high, DIGITS)
