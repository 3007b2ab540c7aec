"""Learning from pairs of pictures, of which a person chose one: Diffusion-DPO, easy prompts first."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Tensor

from ..._shapes import Float
from ...model import S3DiT
from ..distributed import ONE_PROCESS, Processes
from ..encoded_example import EncodedPicture
from ..objectives.diffusion_dpo import DiffusionDpo, easiest, pair_errors
from ..objectives.matching_levels import renoised
from ..objectives.noise_levels import NoiseLevels
from ..rewards.guided_roles import GuidedRoles
from ..rewards.told import Told
from ..trainables import Roles
from .progress import OnPart, ignore
from .reward_lesson import POLICY

PATCH = 4  # latent cells of an image token
LEAST_MARGIN = 1e-3  # above what rounding makes of two equal networks


class EncodedPair(NamedTuple):
    """Two pictures of one size and the features of their prompt."""

    chosen: EncodedPicture
    rejected: EncodedPicture
    caption: Float[Tensor, "_ f"]


@dataclass(frozen=True, kw_only=True)
class PairTuning:
    """What a step is made of."""

    dpo: DiffusionDpo = field(default_factory=DiffusionDpo)
    pairs: int = 8  # of a step
    easy_first: float = 0.5  # share of the run in which more and more difficult prompts come in; 0 takes all at once
    levels: NoiseLevels = field(default_factory=NoiseLevels)
    steps: int = 1000  # of the run
    saves_memory: bool = True


class PairLesson:
    """The losses of each step, and what is told of them."""

    learned: tuple[str, ...] = ()  # no score is rewarded

    def __init__(
        self,
        dit: S3DiT,
        roles: Roles,
        pairs: Sequence[EncodedPair],
        no_caption: Float[Tensor, "_ f"],
        difficulties: Sequence[float],
        tuning: PairTuning,
        processes: Processes = ONE_PROCESS,
    ) -> None:
        """`difficulties` are the pairs'; any number that is larger for prompts that ask for more."""
        self.dit, self.roles, self.pairs, self.no_caption = dit, roles, pairs, no_caption
        self.difficulties, self.tuning, self.told = difficulties, tuning, Told()
        self.processes = processes

    def losses(self, step: int, generator: torch.Generator, on_part: OnPart = ignore) -> Iterator[Tensor]:
        """In parts, whose sum is the mean over the step's pairs."""
        pool = easiest(self.difficulties, step / self.tuning.steps, self.tuning.easy_first)
        drawn = torch.randint(len(pool), (self.tuning.pairs,), generator=generator).tolist()
        for number, place in enumerate(drawn, 1):
            pair = self.pairs[pool[place]]
            noised = self._noised(pair, generator)  # by all processes, so that they go on alike
            if number % self.processes.count == self.processes.rank:
                yield self._loss(pair, *noised) / len(drawn) * self.processes.count
            on_part("learned", number, len(drawn))

    def _noised(self, pair: EncodedPair, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """Both pictures of a pair, a level and a noise for them."""
        device = self.dit.x_pad_token.device
        both = torch.stack([each.draw(generator) for each in (pair.chosen, pair.rejected)])  # (2 c h w)
        _, _, height, width = both.shape
        sigma = self.tuning.levels.draw(1, height * width // PATCH, generator)
        noise = torch.randn(both.shape[1:], generator=generator).expand_as(both)
        return both.to(device), sigma.to(device).expand(2), noise.to(device)

    def _loss(self, pair: EncodedPair, both: Tensor, sigma: Tensor, noise: Tensor) -> Float[Tensor, ""]:
        """Of one pair: both pictures at one level with one noise, in one batch."""
        x = renoised(both, sigma, noise)
        _, _, height, width = both.shape
        networks = GuidedRoles(
            *(self.dit, self.roles, pair.caption, self.no_caption, (height, width)),
            cfg=1.0,
            saves_memory=self.tuning.saves_memory,
        )
        with torch.no_grad():
            base = pair_errors(networks.velocity(None, x, sigma), both, noise)
        policy = pair_errors(networks.velocity(POLICY, x, sigma), both, noise)
        self.told.add("preferred", *(self.tuning.dpo.margins(policy, base) > LEAST_MARGIN).float().tolist())
        return self.tuning.dpo.losses(policy, base).sum()
