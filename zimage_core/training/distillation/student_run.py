"""A student from its first update to its file: what the command and the node have in common."""

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from types import MappingProxyType

from PIL import Image
from torch import Tensor

from ..._shapes import Float
from ...model import S3DiT
from ...model.condition import RunBlock, run_block
from ...recipes import DistillationConfig
from ...sampling import Preset
from ...scoring.score import Score
from ..distributed import ONE_PROCESS, Processes
from ..encoded import Encoders
from ..previews import Previews, caption_prompts, interval
from ..rewards.reward import Reward, request_of, scores_of_checks
from ..role_file import BEST, check_interval, copy_best, write_role
from ..trainables import Roles
from .adversary import Reals
from .decay import Checks, DecayAlarm
from .distill import DistillationWatch, RoleProgress, distill
from .distilled import (
    distillation_of,
    hash_of,
    identity_of,
    roles_of,
    sampling_of,
    settings_of,
    student_preset,
    two_rates_of,
)
from .previews import FEW_STEPS, FewStepPreviews
from .students_reward import StudentsReward
from .update import STUDENT, Distillation, TwoRates


@dataclass(frozen=True, kw_only=True)
class Teacher:
    """The model that teaches: its name, how it draws, and what reads its pictures beside their statistics."""

    name: str
    preset: Preset
    decode: Callable[[Float[Tensor, "1 z h w"]], Image.Image]  # of a latent in model space
    scores: Sequence[Score] = ()


@dataclass(frozen=True, kw_only=True)
class StudentRun:
    """A run before the network is loaded; `out` and all choices stand in the config."""

    config: DistillationConfig
    prompts: Sequence[str]
    teacher: Teacher
    folder: Path  # of its state
    step_of: Distillation
    recipe: TwoRates
    no_caption: Float[Tensor, "_ f"]
    previews: FewStepPreviews | None
    checks: Checks | None
    reward: Reward | None = None  # of the method dmdr
    reals: Reals | None = None  # of the method dmd2 with a head
    run: RunBlock = run_block  # how blocks run while pictures are drawn
    told: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))  # more metadata of the file

    @property
    def alarm(self) -> DecayAlarm:
        """Its checks so far."""
        return DecayAlarm(self.folder, self.config.patience)

    @property
    def has_decayed(self) -> bool:
        """Whether checks ended the run, so that its best student counts and not its last."""
        return self.alarm.has_gone_off()

    def updates(
        self, dit: S3DiT, captions: Sequence[Float[Tensor, "_ f"]], processes: Processes = ONE_PROCESS
    ) -> Generator[RoleProgress]:
        """Train, resuming from what was saved; after the last step the student's file is there.

        A caller that closes the generator loses nothing of what was learned.
        """
        config, roles = self.config, roles_of(dit, self.config)
        write = partial(
            write_role,
            *(roles, STUDENT, config),
            settings=settings_of(self.step_of, self.recipe),
            base=self.teacher.name,
            data=hash_of(self.prompts),
            example=self.prompts[0],
            told={**sampling_of(config), **self.told},
        )
        watch = DistillationWatch(
            checks=self.checks,
            patience=config.patience,
            previews=self.previews,
            keep_best=partial(write, out=self.folder / BEST),
            keep=config.keep,
            run=self.run,
        )
        yield from distill(
            *(dit, roles, captions, self.no_caption, self.step_of, self.recipe, self.folder),
            identity={**identity_of(config, self.prompts), **({"data": self.reals.hash} if self.reals else {})},
            watch=watch,
            rewarded=self._rewarded(dit, roles, captions, processes),
            reals=self.reals,
            processes=processes,
        )
        if not processes.is_first:
            return
        if self.has_decayed:
            copy_best(self.folder, config.out)
        else:
            write(out=config.out)

    def _rewarded(
        self, dit: S3DiT, roles: Roles, captions: Sequence[Float[Tensor, "_ f"]], processes: Processes
    ) -> StudentsReward | None:
        if self.reward is None:
            return None
        words = captions, self.no_caption, [request_of(prompt) for prompt in self.prompts]
        return StudentsReward(dit, roles, *words, self.reward, self.teacher.decode, self.step_of, processes=processes)


def student_run(
    config: DistillationConfig,
    prompts: Sequence[str],
    encoders: Encoders,
    teacher: Teacher,
    cells: tuple[int, int],
    folder: Path,
    *,
    reward: Reward | None = None,
    reals: Reals | None = None,
    run: RunBlock = run_block,
    told: Mapping[str, str] = MappingProxyType({}),
) -> StudentRun:
    """What a config means for latents of `cells`; what is looked at is encoded now, before the network is loaded.

    Raises ValueError with one sentence for choices that do not go together.
    """
    step_of = distillation_of(config, cells)
    return StudentRun(
        config=config,
        prompts=prompts,
        teacher=teacher,
        folder=folder,
        step_of=step_of,
        recipe=two_rates_of(config, step_of.turn),
        no_caption=encoders.caption(""),
        previews=previews_of(config, encoders, teacher, step_of),
        checks=checks_of(config, prompts, encoders, teacher, step_of, reward),
        reward=reward,
        reals=reals,
        run=run,
        told=told,
    )


def previews_of(
    config: DistillationConfig, encoders: Encoders, teacher: Teacher, step_of: Distillation
) -> FewStepPreviews | None:
    """Pictures of the config's prompts in 1, 2, 4 and 8 steps."""
    if not config.previews:
        return None
    return FewStepPreviews(
        prompts=caption_prompts(encoders, config.previews, step_of.cells),
        preset=student_preset(config),
        presets=[student_preset(config, steps) for steps in FEW_STEPS],
        every=(config.preview_every or interval(config.steps)) * step_of.turn,
        decode=teacher.decode,
        seed=config.seed,
    )


def checks_of(
    config: DistillationConfig,
    prompts: Sequence[str],
    encoders: Encoders,
    teacher: Teacher,
    step_of: Distillation,
    reward: Reward | None,
) -> Checks | None:
    """The first prompts, beside the teacher's pictures of them with the guidance that is learned."""
    checked = prompts[: config.checked]
    if not checked:
        return None
    drawn = Previews(
        prompts=caption_prompts(encoders, checked, step_of.cells),
        preset=replace(teacher.preset, cfg=config.cfg),
        every=1,
        decode=teacher.decode,
        seed=config.seed,
    )
    return Checks(
        drawn=drawn,
        prompts=checked,
        student=student_preset(config),
        scores=scores_of_checks(reward, teacher.scores),
        every=check_interval(config) * step_of.turn,
    )
