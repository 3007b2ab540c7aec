"""A student of few steps from the MODEL of a socket, in ComfyUI's queue as every training is."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

from .....zimage_core.recipes import DistillationConfig, read_distillation
from .....zimage_core.training.distillation.student_run import student_run
from .....zimage_core.training.memory.roles_plan import student_plan
from .....zimage_core.training.turbo import refuse_turbo_as_teacher
from .encoders import canvas_encoders
from .lora import LORAS
from .networks import (
    N_DRAWN,
    SIDE,
    Base,
    Networks,
    Prepared,
    base_of,
    cells_of,
    checked_cfg,
    interruptible,
    told,
    train_roles,
)
from .prompt_list import prompts_of
from .recipe import OF_THE_SOCKET, SHIPPED
from .run import TRAINED, output_file, state_folder

METHODS = ("decoupled-dmd", "dmd2")  # those that need no reward
NANO_RECIPE = SHIPPED / "distill_turbo.toml"
NANO_FAKE_RATE = 20 / 3  # in parts of the student's, as in that recipe


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

    base: Base
    config: DistillationConfig
    prompts: Sequence[str]

    @property
    def identity(self) -> str:
        """A hash of everything that makes the run another one."""
        return self.base.identity(asdict(self.config), self.prompts)

    @property
    def folder(self) -> Path:
        """Where its state lies."""
        return state_folder(self.config.out, self.identity)


def asked_of(networks: Networks, choices: DistillChoices) -> Asked:
    """What the widgets mean for this model. Raises ValueError with one sentence for what cannot be distilled."""
    base = base_of(networks)
    refuse_turbo_as_teacher(base.file)
    prompts = prompts_of(choices.prompts, choices.prompts_file, is_nano=base.is_nano)
    return Asked(base=base, config=config_of(choices, prompts[:N_DRAWN], base), prompts=prompts)


def config_of(choices: DistillChoices, drawn: Sequence[str], base: Base) -> DistillationConfig:
    """The widgets as a config; what they leave open is as on the command line, for nano as in its recipe."""
    given: dict[str, Any] = {"nfe": choices.steps, "method": choices.method, "seed": choices.seed}
    given |= {"checked": choices.checked, "previews": list(drawn), "out": str(output_file(choices.name, LORAS))}
    given |= {"model": OF_THE_SOCKET, "prompts": OF_THE_SOCKET, "side": base.side(choices.resolution)}
    own = {"steps": choices.training_steps, "lr": choices.learning_rate, "rank": choices.rank}
    own |= {"cfg": checked_cfg(choices.cfg), "batch": choices.batch_size}
    own |= {"fake_lr": NANO_FAKE_RATE * choices.learning_rate} if base.is_nano else {}
    recipe = NANO_RECIPE if base.is_nano else None
    return read_distillation(recipe, given | {key: value for key, value in own.items() if value})


def train_student(asked: Asked) -> None:
    """Train, or go on, until the student's file is there; does nothing if it is.

    Raises what ends an interrupted prompt, ValueError with one sentence for what cannot be distilled.
    """
    train_roles(asked.base, asked.config.out, asked.identity, len(asked.prompts), partial(prepare, asked))


def prepare(asked: Asked, bar: Any) -> Prepared:
    """Encode all prompts, and those that are drawn."""
    config = asked.config
    encoders = canvas_encoders(*asked.base.networks, asked.folder / "encoded")
    captions = encoders.captions(asked.prompts, partial(told, bar))
    run = student_run(
        *(config, asked.prompts, encoders, asked.base.teacher(bar), cells_of(config.side or SIDE), asked.folder),
        run=interruptible,
        told={TRAINED: asked.identity},
    )
    plan_of = partial(student_plan, config=config, step_of=run.step_of, caption_tokens=captions.longest())
    return Prepared(run, plan_of, partial(run.updates, captions=captions))
