"""Turbo in training: it is recognized, and what moves it away from its few steps has to be wanted."""

import json
from pathlib import Path

from safetensors import SafetensorError, safe_open

from ..checkpoints.identify.release import RELEASES, release_by_name
from ..recipes import LoraConfig, TrainingConfig
from ..sampling import TURBO

TURBO_RELEASE = RELEASES[1][1]
SCHEDULER = ("scheduler", "scheduler_config.json")  # in a folder as diffusers lays it out


def refuse_turbo(model: Path, config: TrainingConfig) -> None:
    """Raises ValueError for a Turbo model without a de-distillation LoRA and without consent.

    `model` is a file, or the folder of a diffusers pipeline.
    """
    adapter = config.adapter if isinstance(config, LoraConfig) else None
    if is_turbo(model) and not adapter and not config.accept_losing_8_steps:
        raise ValueError(
            f"{model.name} is a Turbo model: what is trained on it directly loses its 8 steps. Train on the base "
            "model, train a LoRA with a de-distillation LoRA as its adapter, or accept losing 8 steps"
        )


def refuse_turbo_as_teacher(model: Path) -> None:
    """Raises ValueError for a Turbo model, a file or a pipeline's folder."""
    if is_turbo(model):
        raise ValueError(
            f"{model.name} is a Turbo model and cannot teach: a student learns from guidance, under which Turbo gets "
            "worse. Distil the base model, or a fine-tune of it"
        )


def refuse_turbo_for_pairs(model: Path) -> None:
    """Flow matching on pictures, which the loss of pairs is, takes Turbo's few steps from it: raises ValueError."""
    if is_turbo(model):
        raise ValueError(
            f"{model.name} is a Turbo model: learning from pairs would take its few steps from it. Learn on the base "
            "model, or choose grpo with the rule cps"
        )


def is_turbo(model: Path) -> bool:
    """By a file's header or name; by a pipeline's name, its transformer's header or its scheduler."""
    if model.is_dir():
        names = [model, *sorted((model / "transformer").glob("*.safetensors"))[:1]]
        return any(_says_turbo(each) for each in names) or _shift(model.joinpath(*SCHEDULER)) == TURBO.shift
    return _says_turbo(model)


def _says_turbo(place: Path) -> bool:
    return release_by_name(_header(place), place.name).startswith(TURBO_RELEASE)


def _header(file: Path) -> dict[str, str]:
    """A safetensors file's metadata; nothing of what is none."""
    if file.suffix != ".safetensors" or not file.is_file():
        return {}
    try:
        with safe_open(file, framework="pt") as opened:
            return dict(opened.metadata() or {})
    except (OSError, SafetensorError):  # whoever loads it says what is wrong
        return {}


def _shift(file: Path) -> float | None:
    """The shift of the schedule that a pipeline was released with."""
    try:
        found = json.loads(file.read_text("utf-8")).get("shift")
    except (OSError, ValueError, AttributeError):
        return None
    return float(found) if isinstance(found, int | float) else None
