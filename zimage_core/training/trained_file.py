"""What a config trains of a network, and the file it is written to."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from ..checkpoints import read_lora
from ..model import S3DiT
from ..recipes import FullConfig, LoraConfig, TrainingConfig
from .distributed import ONE_PROCESS, Processes
from .loop.init_weights import init_weights
from .loop.runner import Recipe
from .lora_file import alpha_of, lora_metadata, write_lora
from .model_file import write_model
from .settings import flow_matching_of
from .trainables import LAYERS, AllWeights, LoraTrainable, Trainable
from .trained_metadata import trained_metadata
from .training_adapter import TrainingAdapter


def trainable_of(dit: S3DiT, config: TrainingConfig) -> Trainable:
    """What learns, on the network's device."""
    generator = torch.Generator().manual_seed(config.seed)
    match config:
        case LoraConfig():
            lora = LoraTrainable(
                dit,
                rank=config.rank,
                alpha=alpha_of(config),
                generator=generator,
                layers=LAYERS[config.layers],
                kind=config.kind,
            )
            return lora.to(dit.x_pad_token.device)
        case FullConfig():
            weights = AllWeights(dit)
            if config.from_scratch:
                init_weights(dit, generator)
            return weights
        case _:
            raise TypeError(f"{type(config).__name__} says nothing of what is trained")


def adapter_of(config: TrainingConfig, dit: S3DiT) -> TrainingAdapter | None:
    """What belongs into the network while it is trained."""
    file = config.adapter if isinstance(config, LoraConfig) else None
    return TrainingAdapter(dit, read_lora(file), dit.x_pad_token.device) if file else None


def identity_of(config: TrainingConfig) -> dict[str, Any]:
    """What of a config, beside steps and arithmetic, makes a run another one."""
    match config:
        case LoraConfig():
            kind = {"kind": config.kind, "layers": config.layers, "rank": config.rank, "alpha": alpha_of(config)}
            return {"train": "lora", **kind, **({"quantize": config.quantize} if config.quantize else {})}
        case FullConfig():
            return {"train": "full", "from_scratch": config.from_scratch}
        case _:
            return {}


def told_of(config: TrainingConfig, recipe: Recipe, *, base: str, data: str, example: str) -> dict[str, Any]:
    """What `trained_metadata` is given of a run, the last where there were several stages."""
    settings = {**asdict(recipe), **asdict(flow_matching_of(config))}
    return {"title": config.out.stem, "base": base, "recipe": settings, "data": data, "example": example}


def write_trained(
    trainable: Trainable,
    config: TrainingConfig,
    out: Path,
    told: Mapping[str, Any],
    more: Mapping[str, str],
    processes: Processes = ONE_PROCESS,
) -> None:
    """Write what was trained, and read it again before it counts.

    `told` is from `told_of`, `more` further metadata. Raises ValueError if the file reads
    differently.
    """
    match trainable, config:
        case LoraTrainable(), LoraConfig():
            metadata = lora_metadata(
                kind=config.kind, rank=config.rank, alpha=alpha_of(config), trigger=config.trigger, **told
            )
            if processes.is_first:
                write_lora(trainable.lora(out.name, torch.bfloat16), out, {**metadata, **more}, config.naming)
        case AllWeights(network=S3DiT() as dit), _:
            write_model(dit, out, {**trained_metadata("z-image", **told), **more}, processes)
        case _:
            raise TypeError(f"nothing is written of {type(trainable).__name__}")
