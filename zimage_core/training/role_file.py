"""The LoRA of a role as a file, and which of a run's counts: that of its best check where checks ended it."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch

from ..atomic_file import write_atomically
from ..recipes import DistillationConfig, PreferenceConfig
from .lora_file import alpha_of, lora_metadata, write_lora
from .trainables import Roles

BEST = "best.safetensors"  # beside the state: what had been learned at the best check
N_CHECKS = 20  # in a run whose config says nothing of them


def write_role(
    roles: Roles,
    role: str,
    config: DistillationConfig | PreferenceConfig,
    out: Path,
    *,
    settings: Mapping[str, Any],
    base: str,
    data: str,
    example: str,
    told: Mapping[str, str] = MappingProxyType({}),
) -> None:
    """Write a role as it is now as a LoRA, and read it again before it counts; `told` is further metadata."""
    metadata = lora_metadata(
        rank=config.rank,
        alpha=alpha_of(config),
        trigger="",
        title=config.out.stem,
        base=base,
        recipe=settings,
        data=data,
        example=example,
    )
    write_lora(roles.adapter(role).lora(out.name, torch.bfloat16), out, {**metadata, **told}, config.naming)


def copy_best(folder: Path, out: Path) -> None:
    """What was learned best in a run's folder becomes its file, at once or not at all."""
    with (folder / BEST).open("rb") as opened:
        write_atomically(out, lambda copy: shutil.copyfileobj(opened, copy))


def check_interval(config: DistillationConfig | PreferenceConfig) -> int:
    """Updates from one check to the next."""
    return config.check_every or max(1, config.steps // N_CHECKS)
