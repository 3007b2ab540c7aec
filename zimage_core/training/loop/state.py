"""Saved training state: parameters, their EMA and AdamW's moments in one safetensors file."""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor, nn

from ...atomic_file import save_tensors
from .ema import Ema

FILE = "state.safetensors"
MOMENTS = ("exp_avg", "exp_avg_sq")


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
        for moment in MOMENTS:
            if parameter in optimizer.state:
                tensors[f"{moment}.{name}"] = optimizer.state[parameter][moment].contiguous()
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
                if f"{MOMENTS[0]}.{name}" not in saved.keys():  # noqa: SIM118 - not a mapping
                    continue  # a parameter that has not had a gradient yet
                # empty_like keeps the parameter's memory format, which the fused AdamW requires
                moments = {moment: saved.get_tensor(f"{moment}.{name}") for moment in MOMENTS}
                optimizer.state[parameter] = {
                    "step": torch.tensor(float(step)),
                    **{moment: torch.empty_like(parameter).copy_(value) for moment, value in moments.items()},
                }
    return step
