"""Saved training state: parameters, their EMA and the optimizer's tensors."""

import json
from collections import defaultdict
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..distributed.processes import ONE_PROCESS, Processes
from .ema import Ema
from .state_files import SavedState, open_newest, write_files


def save_state(
    folder: Path,
    step: int,
    module: nn.Module,
    optimizer: torch.optim.Optimizer,
    ema: Ema,
    recipe: dict[str, Any],
    processes: Processes = ONE_PROCESS,
) -> None:
    """Write the state after `step` steps; the previous one is removed only once the new one is complete."""
    folder.mkdir(parents=True, exist_ok=True)
    tensors: dict[str, Tensor] = {}
    for name, parameter in module.named_parameters():
        tensors[f"module.{name}"] = parameter.detach()
        tensors[f"ema.{name}"] = ema.average[name]
        for key, value in optimizer.state.get(parameter, {}).items():
            tensors[f"optimizer.{key}.{name}"] = torch.as_tensor(value)
    write_files(folder, step, tensors, json.dumps(recipe), processes)


def saved_step(folder: Path) -> int:
    """How many steps were done when the state in a folder was saved; 0 if none was."""
    saved = open_newest(folder)
    return int(saved.metadata["step"]) if saved else 0


def load_state(
    folder: Path,
    module: nn.Module,
    optimizer: torch.optim.Optimizer,
    ema: Ema,
    recipe: dict[str, Any],
    processes: Processes = ONE_PROCESS,
    may_differ: Collection[str] = (),
) -> int:
    """Restore a saved state in place and return the next step: 0 if nothing was saved.

    Raises ValueError if the folder holds the run of another recipe, in other settings than those that `may_differ`.
    """
    saved = open_newest(folder)
    if saved is None:
        return 0
    told, wanted = json.loads(saved.metadata["recipe"]), json.loads(json.dumps(recipe))
    if difference := _difference(told, wanted, may_differ):
        raise ValueError(
            f"{folder} holds a run of another recipe ({difference}); give this run its own folder, or delete that one"
        )
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            rows = processes.rows(parameter)
            processes.local(parameter).copy_(saved.tensor(f"module.{name}", rows))
            processes.local(ema.average[name]).copy_(saved.tensor(f"ema.{name}", rows))
        _load_optimizer(optimizer, module, saved, processes)
    return int(saved.metadata["step"])


def _difference(saved: dict[str, Any], wanted: dict[str, Any], may_differ: Collection[str]) -> str:
    """The first setting that differs and may not, and how; empty if none does."""
    held = [name for name in {**wanted, **saved} if name not in may_differ]
    names = [name for name in held if saved.get(name) != wanted.get(name)]
    return f"its {names[0]} is {saved.get(names[0])!r}, and not {wanted.get(names[0])!r}" if names else ""


def _load_optimizer(
    optimizer: torch.optim.Optimizer, module: nn.Module, saved: SavedState, processes: Processes
) -> None:
    """Give an optimizer its saved tensors; a parameter that has not had a gradient yet has none."""
    keys_of = _keys_by_parameter(saved.pieces)
    names = {parameter: name for name, parameter in module.named_parameters()}
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    state: dict[int, dict[str, Tensor]] = {}
    for index, parameter in enumerate(parameters):
        name = names[parameter]
        found = {key: _like(parameter, saved, f"optimizer.{key}.{name}", processes) for key in keys_of.get(name, ())}
        if found:
            state[index] = found
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})


def _keys_by_parameter(keys: Iterable[str]) -> dict[str, list[str]]:
    """The names of an optimizer's tensors in a file, by parameter."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    for key in keys:
        kind, _, rest = key.partition(".")
        if kind == "optimizer":
            name, _, parameter = rest.partition(".")
            found[parameter].append(name)
    return dict(found)


def _like(parameter: Tensor, saved: SavedState, name: str, processes: Processes) -> Tensor:
    """A saved tensor, sharded as the parameter and in its memory format, which the fused AdamW requires."""
    if saved.shape(name) != parameter.shape:
        return saved.tensor(name, None)
    value = saved.tensor(name, processes.rows(parameter))
    restored = torch.empty_like(parameter, dtype=value.dtype)
    processes.local(restored).copy_(value)
    return restored
