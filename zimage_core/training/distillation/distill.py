"""A distillation from its first update to its last: the runner's steps, previews, and checks that may end it."""

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

from torch import Tensor

from ..._shapes import Float
from ...model import S3DiT
from ...model.condition import RunBlock, run_block
from ..distributed import ONE_PROCESS, Processes
from ..loop.curve import Curve
from ..loop.ema import Ema
from ..loop.runner import Progress, train
from ..previews import Previews
from ..trainables import Roles
from .adversary import Reals
from .decay import Checks, DecayAlarm
from .students_reward import StudentsReward
from .update import STUDENT, Distillation, StudentsEma, TwoRates, distillation_step


@dataclass(frozen=True, kw_only=True)
class DistillationWatch:
    """What is looked at; none of it changes what a step learns."""

    checks: Checks | None = None
    patience: int = 3  # checks
    previews: Previews | None = None
    keep: int = 1  # saved states that stay
    keep_best: Callable[[], None] | None = None  # called with the average in place, when no check was better
    run: RunBlock = run_block  # how blocks run while pictures are drawn

    def is_due(self, done: int, steps: int) -> bool:
        """Whether something is to be looked at after so many steps of all."""
        return any(each.is_due(done, steps) for each in (self.checks, self.previews) if each)


UNWATCHED = DistillationWatch()


@dataclass(frozen=True, kw_only=True)
class RoleProgress(Progress):
    """A step of one role, and of DMDR what its pictures were rewarded with."""

    role: str
    rewards: Mapping[str, float] = field(default_factory=dict[str, float])


def distill(
    dit: S3DiT,
    roles: Roles,
    captions: Sequence[Float[Tensor, "_ f"]],
    no_caption: Float[Tensor, "_ f"],
    step_of: Distillation,
    recipe: TwoRates,
    folder: Path,
    *,
    identity: Mapping[str, Any] = MappingProxyType({}),
    watch: DistillationWatch = UNWATCHED,
    rewarded: StudentsReward | None = None,
    reals: Reals | None = None,
    processes: Processes = ONE_PROCESS,
) -> Generator[RoleProgress]:
    """Train the student and its fake score; resume from and save to `folder`, which keeps curve and checks too.

    With the method dmdr the student learns from what `rewarded` says of its pictures, too; with an adversarial head the
    fake score learns to tell them from `reals`.

    After the last step the student is its average (EMA).
    """
    ema = StudentsEma(roles, recipe.ema_decay, recipe.turn)
    of_step = partial(distillation_step, dit, roles, captions, no_caption, step_of, recipe.seed)
    losses = partial(of_step, rewarded=rewarded, reals=reals, processes=processes)
    alarm, curve = DecayAlarm(folder, watch.patience, rewarded.learned if rewarded else (), processes), None
    processes.wait()  # until all have read what the first will write

    looks = Looks(
        dit=dit,
        roles=roles,
        role=STUDENT,
        ema=ema,
        watch=watch,
        alarm=alarm,
        steps=recipe.steps,
        folder=folder,
        processes=processes,
    )

    def is_enough(done: int) -> bool:
        looks.after(done)
        return alarm.has_gone_off()

    with roles.attached():
        if watch.checks and not alarm.has_teacher:
            alarm.add("teacher", 0, watch.checks.of_teacher(dit, watch.run, processes))
        for progress in train(
            roles,
            losses,
            recipe,
            ema,
            folder,
            identity={**identity_of_update(step_of), **identity},
            keep=watch.keep,
            is_enough=is_enough,
            processes=processes,
        ):
            rewards = rewarded.told.means(rewarded.learned) if rewarded else {}
            told = RoleProgress(**asdict(progress), role=step_of.role_at(progress.step), rewards=rewards)
            if processes.is_first:
                curve = curve or Curve(folder, progress.step)
                curve.add(told)
            yield told
        if not alarm.has_gone_off():
            looks.after(recipe.steps)
    ema.assign()


def identity_of_update(step_of: Distillation) -> dict[str, Any]:
    """What of an update makes a run another one; a head that is not asked for is left out, as older runs knew none."""
    told = asdict(step_of)
    return told if step_of.adversarial_weight else {key: told[key] for key in told if key != "adversarial_weight"}


@dataclass(frozen=True, kw_only=True)
class Looks:
    """Checks and pictures of a run, whose network then computes as the average of one role.

    Each check is made once: a run that was stopped within one makes it before it goes on.
    """

    dit: S3DiT
    roles: Roles
    role: str
    ema: Ema
    watch: DistillationWatch
    alarm: DecayAlarm
    steps: int
    folder: Path
    processes: Processes

    def after(self, done: int) -> None:
        """What is due after so many steps. Of several processes the first draws."""
        if done and self.watch.is_due(done, self.steps) and not self.alarm.has_looked(done):
            with self.ema.applied():
                self.roles.set_role(self.role)
                self._check_and_draw(done)

    def _check_and_draw(self, done: int) -> None:
        watch, is_first = self.watch, self.processes.is_first
        if watch.checks and watch.checks.is_due(done, self.steps):
            self.alarm.add(STUDENT, done, watch.checks.of_student(self.dit, watch.run, self.processes))
            if watch.keep_best and self.alarm.is_best and is_first:
                watch.keep_best()
        if watch.previews and watch.previews.is_due(done, self.steps) and is_first:
            watch.previews.save(self.dit, done, self.folder, watch.run)
