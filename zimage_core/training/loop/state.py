"""Saved training state: parameters, their EMA and the optimizer's tensors in one safetensors file."""

import json
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor, nn

from ...atomic_file import save_tensors
from .ema import Ema

FILE = "state.safetensors"


def save_state(
    folder: Path,
    step: int,
    module: nn.Module,
    optimizer: torch.optim.Optimizer,
    ema: Ema,
    recipe: dict[str, Any],
) -> None:
    """Write the state after `step` steps; the previous file is replaced only once the new one is complete."""
    folder.mkdir(parents=True, exist_ok=True)
    tensors: dict[str, Tensor] = {}
    for name, parameter in module.named_parameters():
        tensors[f"module.{name}"] = parameter.detach().contiguous()
        tensors[f"ema.{name}"] = ema.average[name].contiguous()
        for key, value in optimizer.state.get(parameter, {}).items():
            tensors[f"optimizer.{key}.{name}"] = torch.as_tensor(value).contiguous()
    save_tensors(folder / FILE, tensors, {"step": str(step), "recipe": json.dumps(recipe)})


def load_state(
    folder: Path, module: nn.Module, optimizer: torch.optim.Optimizer, ema: Ema, recipe: dict[str, Any]
) -> int:
    """Restore a saved state in place and return the next step: 0 if nothing was saved.

    Raises ValueError if the folder holds the run of another recipe.
    """
    if not (folder / FILE).exists():
        return 0
    with safe_open(folder / FILE, framework="pt") as saved:
        metadata = saved.metadata()
        if json.loads(metadata["recipe"]) != json.loads(json.dumps(recipe)):
            raise ValueError(
                f"{folder} holds a run of another recipe; give this run its own folder, or delete that one"
            )
        step = int(metadata["step"])
        with torch.no_grad():
            for name, parameter in module.named_parameters():
                parameter.copy_(saved.get_tensor(f"module.{name}"))
                ema.average[name].copy_(saved.get_tensor(f"ema.{name}"))
        _load_optimizer(optimizer, module, saved)
    return step


def _load_optimizer(optimizer: torch.optim.Optimizer, module: nn.Module, saved: Any) -> None:
    """Give an optimizer its tensors of an open file; a parameter that has not had a gradient yet has none."""
    keys_of = _keys_by_parameter(saved.keys())
    names = {parameter: name for name, parameter in module.named_parameters()}
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    state: dict[int, dict[str, Tensor]] = {}
    for index, parameter in enumerate(parameters):
        name = names[parameter]
        found = {key: saved.get_tensor(f"optimizer.{key}.{name}") for key in keys_of.get(name, ())}
        if found:
            state[index] = {key: _like(parameter, value) for key, value in found.items()}
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


def _like(parameter: Tensor, value: Tensor) -> Tensor:
    """A saved tensor in the parameter's memory format, which the fused AdamW requires."""
    return torch.empty_like(parameter, dtype=value.dtype).copy_(value) if value.shape == parameter.shape else value
