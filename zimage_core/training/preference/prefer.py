"""A model learns a taste, from rewards or from pairs: the runner's steps, previews, and checks that may end the run.

Whoever drives it, a command or a node, makes the roles (`preferred.roles_of`) and a lesson, and iterates:

    lesson = RewardLesson(dit, roles, captions, no_caption, requests, reward, decode, tuning, seed)   # grpo, nft
    lesson = PairLesson(dit, roles, pairs, no_caption, difficulties, tuning)                          # dpo
    for progress in prefer(dit, roles, lesson, recipe, folder, identity=…, watch=PreferenceWatch(…)):
        show(progress.step, progress.loss, progress.rewards)      # a frozen PreferenceProgress
    roles.adapter(POLICY).lora(name)                              # afterwards the policy is its average

Closing the generator, or raising whatever `watch.on_part` likes, ends the run with its state saved: made again with the
same arguments it goes on where it was, to the bit. `preferred` makes all of these from a `PreferenceConfig`.
"""

from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor

from ...model import S3DiT
from ..distillation.decay import DecayAlarm
from ..distillation.distill import DistillationWatch, Looks
from ..distributed import ONE_PROCESS, Processes
from ..loop.curve import Curve, read_curve
from ..loop.ema import Ema
from ..loop.runner import Progress, Recipe, train
from ..loop.state import saved_step
from ..rewards.reward import RewardError
from ..rewards.told import Told
from ..trainables import Roles
from .progress import OnPart, PreferenceProgress, ignore
from .reward_lesson import POLICY

MOST_ALIKE = 20  # steps in which no picture was better than another, after which a reward has nothing more to say


@runtime_checkable
class Lesson(Protocol):
    """What a step learns: `RewardLesson` or `PairLesson`."""

    told: Told

    @property
    def learned(self) -> tuple[str, ...]:
        """Names of the scores that rise because they are rewarded."""
        ...

    def losses(self, step: int, generator: torch.Generator, on_part: OnPart = ignore) -> Iterator[Tensor]:
        """Parts of the loss of a step, each made when the one before was learned from."""
        ...


@dataclass(frozen=True, kw_only=True)
class PreferenceWatch(DistillationWatch):
    """What is looked at; `checks` compare the policy with the base, the teacher."""

    on_part: OnPart = ignore


UNWATCHED = PreferenceWatch()


def prefer(
    dit: S3DiT,
    roles: Roles,
    lesson: Lesson,
    recipe: Recipe,
    folder: Path,
    *,
    identity: Mapping[str, Any] = MappingProxyType({}),
    watch: PreferenceWatch = UNWATCHED,
    processes: Processes = ONE_PROCESS,
) -> Generator[PreferenceProgress]:
    """Train the policy; resume from and save to `folder`, which keeps curve and checks too.

    Ends early where the pictures decay beside the base's (`DecayAlarm`), or where a reward that told pictures apart
    does so no more. Raises `RewardError` for a reward that fails or never tells them apart. After the last step the
    policy is its average (EMA).
    """
    ema = Ema(roles, recipe.ema_decay)
    alarm = DecayAlarm(folder, watch.patience, lesson.learned, processes)
    curve, apart = None, told_apart(folder)[: saved_step(folder)]
    processes.wait()  # until all have read what the first will write

    looks = Looks(
        dit=dit,
        roles=roles,
        role=POLICY,
        ema=ema,
        watch=watch,
        alarm=alarm,
        steps=recipe.steps,
        folder=folder,
        processes=processes,
    )

    def is_enough(done: int) -> bool:
        looks.after(done)
        return alarm.has_gone_off() or is_exhausted(apart[:done])

    with roles.attached():
        if watch.checks and not alarm.has_teacher:
            alarm.add("teacher", 0, watch.checks.of_teacher(dit, processes=processes))
        losses = partial(lesson.losses, on_part=watch.on_part)
        for progress in train(
            *(roles, losses, recipe, ema, folder),
            identity=identity,
            keep=watch.keep,
            is_enough=is_enough,
            processes=processes,
        ):
            told = told_of(progress, lesson)
            apart[progress.step :] = [told.told_apart]
            if processes.is_first:
                curve = curve or Curve(folder, progress.step)
                curve.add(told)
            yield told
        if len(apart) == recipe.steps and not alarm.has_gone_off():
            looks.after(recipe.steps)
    refuse_indifferent(apart, lesson)
    ema.assign()


def told_of(progress: Progress, lesson: Lesson) -> PreferenceProgress:
    """A step with what its lesson saw; pictures of an earlier step in the same turn are not told again."""
    told = lesson.told
    others = {name: told.mean(name) for name in ("told_apart", "kl", "preferred")}
    return PreferenceProgress(
        step=progress.step,
        steps=progress.steps,
        loss=progress.loss,
        grad_norm=progress.grad_norm,
        lr=progress.lr,
        rewards=told.means(lesson.learned),
        **others,
    )


def told_apart(folder: Path) -> list[float | None]:
    """By step, of the run in a folder, the share of prompts whose pictures a reward told apart."""
    return [row.get("told_apart") for row in read_curve(folder)]


def is_exhausted(apart: list[float | None]) -> bool:
    """Whether a reward has told nothing apart for long."""
    known = [share for share in apart if share is not None]
    return len(known) >= MOST_ALIKE and not any(known[-MOST_ALIKE:])


def refuse_indifferent(apart: list[float | None], lesson: Lesson) -> None:
    """Raises `RewardError` for a reward that has never told two pictures of a prompt apart."""
    if is_exhausted(apart) and not any(apart):
        raise RewardError(
            f"the reward {', '.join(lesson.learned)} gave all pictures of each prompt the same number in {MOST_ALIKE} "
            "steps, so that nothing can be learned: choose another reward, more difficult prompts or fewer steps of "
            "drawing"
        )
