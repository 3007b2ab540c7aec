"""The file of a trained LoRA: written in names that loaders read, with what it is, and read again before it counts."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from ..adapters import N_PARTS, Lora, ScaledDelta, total_change
from ..checkpoints import read_lora, save_lora
from ..recipes import DistillationConfig, LoraConfig, PreferenceConfig
from .trained_metadata import trained_metadata

NETWORKS: dict[str, dict[str, str]] = {  # how kohya's and LyCORIS' files name each kind
    "lora": {"ss_network_module": "networks.lora"},
    "lokr": {"ss_network_module": "lycoris.kohya", "ss_network_args": '{"algo": "lokr"}'},
    "dora": {"ss_network_module": "lycoris.kohya", "ss_network_args": '{"algo": "lora", "dora_wd": true}'},
}


def alpha_of(config: LoraConfig | DistillationConfig | PreferenceConfig) -> float:
    """The LoRA's alpha: its rank where none is given."""
    return config.alpha or float(config.rank)


def lora_metadata(*, rank: int, alpha: float, trigger: str, kind: str = "lora", **trained: Any) -> dict[str, str]:
    """What a LoRA's file says of itself; `trained` is what `trained_metadata` is given."""
    return {
        **trained_metadata("z-image/lora", **trained),
        "modelspec.trigger_phrase": trigger,
        **NETWORKS[kind],
        "ss_network_dim": str(rank),
        "ss_network_alpha": f"{alpha:g}",
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
