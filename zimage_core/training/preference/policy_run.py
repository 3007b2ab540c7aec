"""A taste from its first update to its file: what the command and the node have in common."""

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from types import MappingProxyType

from torch import Tensor

from ..._shapes import Float
from ...data.preferences import Preference
from ...model import S3DiT
from ...model.condition import RunBlock, run_block
from ...recipes import PreferenceConfig
from ...recipes.preference_config import FROM_PAIRS
from ...scoring.features import DiversityScore
from ...scoring.features.thumbnails import Thumbnails
from ...scoring.statistics import STATISTICS
from ..distillation.decay import Checks, DecayAlarm
from ..distillation.distilled import hash_of
from ..distillation.student_run import Teacher
from ..distributed import ONE_PROCESS, Processes
from ..encoded import Encoders
from ..encoded_files import EncodedCaptions
from ..loop.runner import Recipe
from ..previews import Previews, caption_prompts, interval
from ..rewards.reward import Reward, request_of, scores_of_checks
from ..role_file import BEST, check_interval, copy_best, write_role
from ..trainables import Roles
from .pair_files import EncodedPairs, encoded_pairs, hash_of_pairs
from .pair_lesson import PairLesson, PairTuning
from .prefer import Lesson, PreferenceWatch, prefer
from .preferred import (
    SEEDS,
    drawing_preset,
    identity_of,
    pair_tuning_of,
    recipe_of,
    reward_tuning_of,
    roles_of,
)
from .progress import OnPart, PreferenceProgress, ignore
from .reward_lesson import POLICY, RewardLesson, RewardTuning

Learned = EncodedCaptions | EncodedPairs  # what a run learns from, encoded


@dataclass(frozen=True, kw_only=True)
class PolicyRun:
    """A run before the transformer is loaded; `base` is what it is compared with."""

    config: PreferenceConfig
    data: Sequence[str] | Sequence[Preference]
    reward: Reward | None
    base: Teacher
    cells: tuple[int, int]
    folder: Path  # of its state
    tuning: RewardTuning | PairTuning
    recipe: Recipe
    no_caption: Float[Tensor, "_ f"]
    previews: Previews | None
    checks: Checks | None
    run: RunBlock = run_block  # how blocks run while checks and previews are drawn
    told: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))  # more metadata of the file

    @property
    def prompts(self) -> list[str]:
        """Each once."""
        return prompts_of(self.data)

    @property
    def hash_of_data(self) -> str:
        """Of what is learned from."""
        pairs = [each for each in self.data if isinstance(each, Preference)]
        return hash_of_pairs(pairs) if pairs else hash_of(self.prompts)

    @property
    def has_decayed(self) -> bool:
        """Whether checks ended the run, so that its best policy counts and not its last."""
        return DecayAlarm(self.folder, self.config.patience).has_gone_off()

    def updates(
        self, dit: S3DiT, learned: Learned, on_part: OnPart = ignore, processes: Processes = ONE_PROCESS
    ) -> Generator[PreferenceProgress]:
        """Train, resuming from what was saved; after the last step the policy's file is there.

        A caller that closes the generator loses nothing of what was learned, nor does what `on_part` raises.
        """
        config, roles = self.config, roles_of(dit, self.config)
        settings = {**asdict(self.recipe), **asdict(self.tuning), "reward": list(config.reward)}
        named = {"base": self.base.name, "data": self.hash_of_data, "example": self.prompts[0], "told": self.told}
        write = partial(write_role, roles, POLICY, config, settings=settings, **named)
        watch = PreferenceWatch(
            checks=self.checks,
            patience=config.patience,
            previews=self.previews,
            keep_best=partial(write, out=self.folder / BEST),
            keep=config.keep,
            run=self.run,
            on_part=on_part,
        )
        identity = identity_of(config, self.tuning, self.hash_of_data)
        lesson = self._lesson(dit, roles, learned, processes)
        yield from prefer(
            *(dit, roles, lesson, self.recipe, self.folder), identity=identity, watch=watch, processes=processes
        )
        if not processes.is_first:
            return
        if self.has_decayed:
            copy_best(self.folder, config.out)
        else:
            write(out=config.out)

    def _lesson(self, dit: S3DiT, roles: Roles, learned: Learned, processes: Processes) -> Lesson:
        if isinstance(learned, EncodedPairs):
            assert isinstance(self.tuning, PairTuning)
            return PairLesson(dit, roles, learned, self.no_caption, learned.difficulties(), self.tuning, processes)
        assert self.reward and isinstance(self.tuning, RewardTuning)
        requests = [request_of(prompt) for prompt in self.prompts]
        words = learned, self.no_caption, requests
        return RewardLesson(dit, roles, *words, self.reward, self.base.decode, self.tuning, self.config.seed, processes)


def policy_run(
    config: PreferenceConfig,
    data: Sequence[str] | Sequence[Preference],
    encoders: Encoders,
    base: Teacher,
    cells: tuple[int, int],
    folder: Path,
    *,
    reward: Reward | None = None,
    run: RunBlock = run_block,
    told: Mapping[str, str] = MappingProxyType({}),
) -> PolicyRun:
    """What a config means for pictures of `cells`; what is looked at is encoded now, before the network is loaded."""
    from_pairs = config.method == FROM_PAIRS
    drawn = partial(drawn_by, config, encoders, base, cells)
    return PolicyRun(
        config=config,
        data=data,
        reward=reward,
        base=base,
        cells=cells,
        folder=folder,
        tuning=pair_tuning_of(config) if from_pairs else reward_tuning_of(config, cells, base.preset),
        recipe=recipe_of(config),
        no_caption=encoders.caption(""),
        previews=drawn(config.previews, config.preview_every or interval(config.steps)) if config.previews else None,
        checks=checks_of(config, prompts_of(data), base, reward, drawn),
        run=run,
        told=told,
    )


def learned_from(run: PolicyRun, encoders: Encoders, pairs_file: Path | None, on_one: Callable[[], object]) -> Learned:
    """Encode what is learned from, and say so after each pair or prompt."""
    pairs = [each for each in run.data if isinstance(each, Preference)]
    if pairs:
        assert pairs_file
        return encoded_pairs(encoders, pairs_file, pairs, 64 * run.cells[0] * run.cells[1], on_pair=on_one)
    return encoders.captions(run.prompts, on_one)


def prompts_of(data: Sequence[str] | Sequence[Preference]) -> list[str]:
    """The prompts of what is learned from, each once."""
    return list(dict.fromkeys(each if isinstance(each, str) else each.prompt for each in data))


def drawn_by(
    config: PreferenceConfig,
    encoders: Encoders,
    base: Teacher,
    cells: tuple[int, int],
    words: Sequence[str],
    every: int,
) -> Previews:
    """Prompts that are drawn as the model is."""
    return Previews(
        prompts=caption_prompts(encoders, words, cells),
        preset=drawing_preset(config, base.preset),
        every=every,
        decode=base.decode,
        seed=config.seed,
    )


def checks_of(
    config: PreferenceConfig,
    prompts: Sequence[str],
    base: Teacher,
    reward: Reward | None,
    drawn: Callable[[Sequence[str], int], Previews],
) -> Checks | None:
    """The first prompts, beside the reward always something that is not rewarded, and how pictures differ."""
    checked = prompts[: config.checked]
    if not checked:
        return None
    shown = drawn(checked, 1)
    scores = scores_of_checks(reward, base.scores or [STATISTICS["noise"]])
    return Checks(
        drawn=shown,
        prompts=checked,
        student=shown.preset,
        scores=[*scores, DiversityScore(Thumbnails())],
        every=check_interval(config),
        seeds=SEEDS,
    )
