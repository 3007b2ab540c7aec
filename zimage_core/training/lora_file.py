"""The file of a trained LoRA: written in names that loaders read, with what it is, and read again before it counts."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch

from ..adapters import N_PARTS, Lora, ScaledDelta, total_change
from ..checkpoints import read_lora, save_lora


def lora_metadata(
    *,
    title: str,
    base: str,
    rank: int,
    alpha: float,
    recipe: Mapping[str, object],
    data: str,
    trigger: str,
    example: str,
) -> dict[str, str]:
    """What a LoRA's file says of itself, under ModelSpec's keys and those of kohya's sd-scripts.

    `base` names the model it was trained on, `data` is a hash of the pictures and captions, `example` a prompt.
    """
    return {
        "modelspec.sai_model_spec": "1.0.0",
        "modelspec.architecture": "z-image/lora",
        "modelspec.title": title,
        "modelspec.trigger_phrase": trigger,
        "modelspec.usage_hint": example,
        "ss_base_model_version": base,
        "ss_network_module": "networks.lora",
        "ss_network_dim": str(rank),
        "ss_network_alpha": f"{alpha:g}",
        "zimage.recipe": json.dumps(dict(recipe), sort_keys=True),
        "zimage.data": data,
    }


def write_lora(lora: Lora, file: Path, metadata: Mapping[str, str], naming: str = "ComfyUI") -> None:
    """Write a LoRA and read it back. Raises ValueError if what is read changes the weights in another way."""
    save_lora(lora, file, naming, metadata)
    again = _changes(read_lora(file))
    for parameter, wanted in _changes(lora).items():
        found = again.get(parameter)
        if found is None or not _is_same(wanted, found):
            raise ValueError(f"{file} was written, but reads differently at {parameter}: the disk may be faulty")


def _changes(lora: Lora) -> dict[str, list[ScaledDelta]]:
    by_parameter: dict[str, list[ScaledDelta]] = {}
    for target, delta in lora.deltas.items():
        by_parameter.setdefault(target.parameter, []).append(ScaledDelta(target, delta, 1.0))
    return by_parameter


def _is_same(wanted: Sequence[ScaledDelta], found: Sequence[ScaledDelta]) -> bool:
    """Whether two sets of deltas change a weight alike, up to the order of float32 additions."""
    (target, delta, _), *_ = wanted
    height = delta.shape[0] * (1 if target.part is None else N_PARTS)
    weight = torch.zeros(height, *delta.shape[1:])
    return torch.allclose(total_change(weight, wanted), total_change(weight, found), rtol=1e-4, atol=1e-6)
