"""What the nodes have in common that make a LoRA from what a model draws: their sockets, and how they are followed."""

import hashlib
import json
from collections.abc import Callable, Generator, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import comfy.utils
import torch
from comfy import model_management
from PIL import Image
from torch import Tensor

from .....zimage_core.checkpoints import DIT, load_dit, open_network
from .....zimage_core.config import NANO_SIDE, DiTConfig
from .....zimage_core.model import Block, S3DiT
from .....zimage_core.model.condition import Stage, run_block
from .....zimage_core.nano.judging.prompt_score import PromptScore
from .....zimage_core.sampling import NANO
from .....zimage_core.training.distillation.student_run import StudentRun, Teacher
from .....zimage_core.training.loop.runner import Progress
from .....zimage_core.training.memory.remedies import machine_of
from .....zimage_core.training.memory.roles_plan import RolesPlan
from .....zimage_core.training.preference.policy_run import PolicyRun
from .....zimage_core.training.previews import CELL
from .base import base_file, carries_loras, free_device, preset_of
from .memory import show
from .run import file_identity, follow, is_finished
from .shown import decoded

SIDE = 1024  # pixels, of the released models
N_DRAWN = 2  # prompts that are drawn on the node


class Prepared(NamedTuple):
    """A run whose prompts or pictures are encoded."""

    run: StudentRun | PolicyRun
    plan_of: Callable[[DiTConfig, torch.dtype], RolesPlan]
    updates: Callable[[S3DiT], Generator[Progress]]


class Networks(NamedTuple):
    """What a node is connected to."""

    model: Any
    clip: Any
    vae: Any


@dataclass(frozen=True, kw_only=True)
class Base:
    """The model of the sockets, as it lies in a file."""

    networks: Networks
    file: Path

    @property
    def is_nano(self) -> bool:
        """Whether it is the built-in model."""
        return preset_of(self.file) is NANO

    def side(self, resolution: int) -> int:
        """Of the pictures, in pixels; 0 takes the model's own."""
        return resolution or (NANO_SIDE if self.is_nano else SIDE)

    def teacher(self, bar: Any) -> Teacher:
        """How it draws; each picture is shown on the node."""
        latent_format = self.networks.model.get_model_object("latent_format")
        return Teacher(
            name=self.file.stem,
            preset=preset_of(self.file),
            decode=partial(shown_decoded, latent_format, self.networks.vae, bar),
            scores=[PromptScore()] if self.is_nano else [],
        )

    def identity(self, choices: Mapping[str, object], data: Iterable[str]) -> str:
        """A hash of everything that makes a run another one."""
        told = json.dumps([{name: str(value) for name, value in choices.items()}, list(data)], sort_keys=True)
        digest = hashlib.blake2b(told.encode("utf-8", "replace"), digest_size=20)
        digest.update(file_identity(self.file))
        return digest.hexdigest()


def base_of(networks: Networks) -> Base:
    """Raises ValueError for a MODEL that is not one plain file."""
    if carries_loras(networks.model):
        raise ValueError(
            "This MODEL carries LoRAs, and a LoRA is learned here on a model in one file. Save it with the stock Save "
            "Model, load that file, and connect it."
        )
    return Base(networks=networks, file=base_file(networks.model))


def train_roles(base: Base, out: Path, identity: str, n_encoded: int, prepare: Callable[[Any], Prepared]) -> None:
    """Train, or go on, until the file is there; does nothing if it is.

    `prepare` encodes so many pictures or prompts, and tells them on the bar. Raises what ends an interrupted prompt,
    ValueError with one sentence for what cannot be learned.
    """
    if is_finished(out, identity):
        return
    with torch.inference_mode(False), torch.enable_grad():
        bar = comfy.utils.ProgressBar(n_encoded)
        run, plan_of, updates = prepare(bar)
        device, dtype = free_device()
        plan = plan_of(open_network(base.file, DIT).config, dtype)
        show([*plan.lines, *plan.beside(machine_of(device))])
        dit = load_dit(base.file, dtype).to(device)
        out.parent.mkdir(parents=True, exist_ok=True)
        bar.update_absolute(0, run.recipe.steps)
        follow(updates(dit), bar, 0, run.recipe.steps, run.folder)


def checked_cfg(cfg: float) -> float:
    """Guidance as a node asks it, where 0 is the model's own. Raises ValueError for less than none."""
    if 0 < cfg < 1:
        raise ValueError(
            f"CFG {cfg:g} is less than no guidance, which is 1: choose 1 or more, or 0 for the model's own"
        )
    return cfg


def cells_of(side: int) -> tuple[int, int]:
    """Height and width of the latents of squares of this side in pixels."""
    return side // CELL, side // CELL


def told(bar: Any) -> None:
    """One thing more is done. Raises what ends an interrupted prompt."""
    model_management.throw_exception_if_processing_interrupted()
    bar.update(1)


def shown_decoded(latent_format: Any, vae: Any, bar: Any, latent: Tensor) -> Image.Image:
    """The picture of a latent, shown on the node as it is, as many are drawn before the first step."""
    picture = decoded(latent_format, vae, latent)
    bar.update_absolute(bar.current, preview=("JPEG", picture, max(picture.size)))
    return picture


def interruptible(stage: Stage, index: int, block: Block, x: Tensor) -> Tensor:
    """A block of a network that draws; raises what ends an interrupted prompt."""
    model_management.throw_exception_if_processing_interrupted()
    return run_block(stage, index, block, x)
