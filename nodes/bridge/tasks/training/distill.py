"""A student of few steps from the MODEL of a socket, in ComfyUI's queue as every training is."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal, NamedTuple

import comfy.utils
import folder_paths
import torch
from comfy import model_management
from PIL import Image
from torch import Tensor

from .....zimage_core.checkpoints import load_dit
from .....zimage_core.config import NANO_SIDE
from .....zimage_core.model import Block
from .....zimage_core.model.condition import Stage, run_block
from .....zimage_core.nano.judging.prompt_score import PromptScore
from .....zimage_core.recipes import DistillationConfig, read_distillation
from .....zimage_core.sampling import NANO
from .....zimage_core.training.encoded import Encoders
from .....zimage_core.training.encoded_files import EncodedCaptions
from .....zimage_core.training.previews import CELL
from .....zimage_core.training.student_run import StudentRun, Teacher, student_run
from .....zimage_core.training.turbo import refuse_turbo_as_teacher
from .base import base_file, free_device, preset_of
from .encoders import canvas_encoders
from .lora import LORAS
from .prompt_list import prompts_of
from .recipe import OF_THE_SOCKET, SHIPPED
from .run import STATES, TRAINED, file_identity, follow, is_finished, output_file
from .shown import decoded

METHODS = ("decoupled-dmd", "dmd2")  # those that need no reward
NANO_RECIPE = SHIPPED / "distill_turbo.toml"
SIDE = 1024  # pixels, of the released models
N_DRAWN = 2  # prompts that are drawn on the node


class Networks(NamedTuple):
    """What the node is connected to."""

    model: Any
    clip: Any
    vae: Any


@dataclass(frozen=True, kw_only=True)
class DistillChoices:
    """The node's widgets; 0 takes what suits the model."""

    prompts: str
    prompts_file: str
    steps: int  # of the student
    method: Literal["decoupled-dmd", "dmd2"]
    training_steps: int
    name: str
    seed: int
    learning_rate: float
    rank: int
    cfg: float
    batch_size: int
    resolution: int
    checked: int


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What a run of the node is to do."""

    networks: Networks
    file: Path  # of the model
    config: DistillationConfig
    prompts: Sequence[str]

    @property
    def identity(self) -> str:
        """A hash of everything that makes the run another one."""
        choices = {name: str(value) for name, value in asdict(self.config).items()}
        digest = hashlib.blake2b(json.dumps([choices, list(self.prompts)], sort_keys=True).encode(), digest_size=20)
        digest.update(file_identity(self.file))
        return digest.hexdigest()

    @property
    def folder(self) -> Path:
        """Where its state lies."""
        return Path(folder_paths.get_output_directory()) / STATES / f"{self.config.out.stem}-{self.identity[:8]}"


def asked_of(networks: Networks, choices: DistillChoices) -> Asked:
    """What the widgets mean for this model. Raises ValueError with one sentence for what cannot be distilled."""
    if networks.model.patches:
        raise ValueError(
            "This MODEL carries LoRAs, and a student learns from a model in one file. Save it with the stock Save "
            "Model, load that file, and connect it."
        )
    file = base_file(networks.model)
    refuse_turbo_as_teacher(file)
    is_nano = preset_of(file) is NANO
    prompts = prompts_of(choices.prompts, choices.prompts_file, is_nano=is_nano)
    config = config_of(choices, prompts[:N_DRAWN], is_nano=is_nano)
    return Asked(networks=networks, file=file, config=config, prompts=prompts)


def config_of(choices: DistillChoices, drawn: Sequence[str], *, is_nano: bool) -> DistillationConfig:
    """The widgets as a config; what they leave open is as on the command line, for nano as in its recipe."""
    side = choices.resolution or (NANO_SIDE if is_nano else SIDE)
    given: dict[str, Any] = {"nfe": choices.steps, "method": choices.method, "seed": choices.seed, "side": side}
    given |= {"checked": choices.checked, "previews": list(drawn), "out": str(output_file(choices.name, LORAS))}
    given |= {"model": OF_THE_SOCKET, "prompts": OF_THE_SOCKET}
    own = {"steps": choices.training_steps, "lr": choices.learning_rate, "rank": choices.rank}
    own |= {"cfg": choices.cfg, "batch": choices.batch_size}
    own |= {"fake_lr": 2 * choices.learning_rate} if is_nano else {}
    return read_distillation(NANO_RECIPE if is_nano else None, given | {key: own[key] for key in own if own[key]})


def train_student(asked: Asked) -> None:
    """Train, or go on, until the student's file is there; does nothing if it is.

    Raises what ends an interrupted prompt, ValueError with one sentence for what cannot be distilled.
    """
    if is_finished(asked.config.out, asked.identity):
        return
    with torch.inference_mode(False), torch.enable_grad():
        bar = comfy.utils.ProgressBar(len(asked.prompts))
        run, captions = prepare(asked, bar)
        device, dtype = free_device()
        dit = load_dit(asked.file, dtype).to(device)
        asked.config.out.parent.mkdir(parents=True, exist_ok=True)
        bar.update_absolute(0, run.recipe.steps)
        follow(run.updates(dit, captions), bar, 0, run.recipe.steps, run.folder)


def prepare(asked: Asked, bar: Any) -> tuple[StudentRun, EncodedCaptions]:
    """Encode all prompts, and those that are drawn."""
    config, folder, (model, clip, vae) = asked.config, asked.folder, asked.networks
    encoders = canvas_encoders(model, clip, vae, folder / "encoded")
    preset = preset_of(asked.file)
    teacher = Teacher(
        name=asked.file.stem,
        preset=preset,
        decode=partial(shown_decoded, model.get_model_object("latent_format"), vae, bar),
        scores=[PromptScore()] if preset is NANO else [],
    )
    captions = EncodedCaptions(encoders.folder, encoded(encoders, asked.prompts, bar))
    cells = (config.side or SIDE) // CELL
    told = {TRAINED: asked.identity}
    run = student_run(config, asked.prompts, encoders, teacher, (cells, cells), folder, run=interruptible, told=told)
    return run, captions


def encoded(encoders: Encoders, prompts: Sequence[str], bar: Any) -> list[str]:
    """The files of all prompts' features."""
    files: list[str] = []
    for words in prompts:
        model_management.throw_exception_if_processing_interrupted()
        files.append(encoders.caption_file(words))
        bar.update(1)
    return files


def shown_decoded(latent_format: Any, vae: Any, bar: Any, latent: Tensor) -> Image.Image:
    """The picture of a latent, shown on the node as it is, as many are drawn before the first step."""
    picture = decoded(latent_format, vae, latent)
    bar.update_absolute(bar.current, preview=("JPEG", picture, max(picture.size)))
    return picture


def interruptible(stage: Stage, index: int, block: Block, x: Tensor) -> Tensor:
    """A block of a network that draws; raises what ends an interrupted prompt."""
    model_management.throw_exception_if_processing_interrupted()
    return run_block(stage, index, block, x)
