"""Learning from rewards: turns of drawing and rating pictures, and of updates from them, by GRPO or DiffusionNFT.

The policy that draws is the role "old", a copy that follows the learning one between turns. It is part of the saved
state: a run that is stopped within a turn draws that turn's pictures again, to the bit.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Literal

import torch
from PIL import Image
from torch import Tensor

from ..._shapes import Float
from ...model import S3DiT
from ...scoring.score import Request
from ..distributed import ONE_PROCESS, Processes, SharedRows
from ..loop.order import chosen_examples
from ..objectives.diffusion_nft import DiffusionNft
from ..objectives.grpo import grpo_losses, kl_losses
from ..objectives.matching_levels import HIGHEST, LOWEST, draw_levels, drawn_like, renoised
from ..rewards.guided_roles import GuidedRoles
from ..rewards.noisy_drawing import Drawing, Drawn
from ..rewards.rated_groups import Rated, Rater
from ..rewards.reward import Reward
from ..rewards.told import Told
from ..trainables import Roles
from .progress import OnPart, ignore

POLICY, OLD = "policy", "old"
OLD_RAMP, MOST_OLD_DECAY = 0.001, 0.5  # DiffusionNFT: how much of itself the old policy keeps, by turns


@dataclass(frozen=True, kw_only=True)
class RewardTuning:
    """What a turn is made of."""

    drawing: Drawing
    method: Literal["grpo", "nft"] = "grpo"
    prompts: int = 4  # of a turn
    group: int = 8  # pictures of each
    updates: int = 1  # from the pictures of a turn
    clip: float = 1e-4  # of GRPO's ratios
    kl: float = 0.004  # of GRPO, to the base
    nft: DiffusionNft = field(default_factory=DiffusionNft)
    token_budget: int = 4608
    saves_memory: bool = True

    def __post_init__(self) -> None:
        if self.group < 2:
            raise ValueError("pictures of a prompt are compared with each other: choose a group of 2 or more")
        if self.method == "grpo" and not self.drawing.noisy_steps:
            raise ValueError("GRPO learns from noisy steps: choose 1 or more of them")
        if self.method == "nft" and self.drawing.noisy_steps:
            raise ValueError("DiffusionNFT draws by the plain sampler: choose 0 noisy steps")


class RewardLesson:
    """The losses of each step, and what is told of them."""

    def __init__(
        self,
        dit: S3DiT,
        roles: Roles,
        captions: Sequence[Float[Tensor, "_ f"]],
        no_caption: Float[Tensor, "_ f"],
        requests: Sequence[Request],
        reward: Reward,
        decode: Callable[[Float[Tensor, "1 c h w"]], Image.Image],
        tuning: RewardTuning,
        seed: int = 0,
        processes: Processes = ONE_PROCESS,
    ) -> None:
        """`captions` are the features of the `requests`; `decode` makes a picture of a latent in model space."""
        self.dit, self.roles, self.tuning, self.seed = dit, roles, tuning, seed
        self.captions, self.no_caption, self.requests = captions, no_caption, requests
        self.told = Told()
        self.learned = reward.names  # scores that rise because they are rewarded
        self.rater = Rater(
            reward=reward,
            decode=decode,
            drawing=tuning.drawing,
            group=tuning.group,
            token_budget=tuning.token_budget,
            most_advantage=tuning.nft.most_advantage,
            processes=processes,
        )
        self._turn, self._rated = -1, list[tuple[int, Rated]]()

    def losses(self, step: int, generator: torch.Generator, on_part: OnPart = ignore) -> Iterator[Tensor]:
        """In parts, whose sum is the mean over the turn's pictures."""
        turn, place = divmod(step, self.tuning.updates)
        if place == 0:
            follow(self.roles, self._old_decay(turn))
        if turn != self._turn:
            self._rated = list(self._rated_groups(turn, on_part))
            self._turn = turn
            if place:  # of a run that goes on within a turn, whose pictures were told before
                self.told.clear()
        for number, (index, rated) in enumerate(self._rated, 1):
            yield from self._group_losses(index, rated, generator, is_on_policy=place == 0)
            on_part("learned", number, len(self._rated))

    def _old_decay(self, turn: int) -> float:
        return min(OLD_RAMP * turn, MOST_OLD_DECAY) if self.tuning.method == "nft" else 0.0

    def _rated_groups(self, turn: int, on_part: OnPart) -> Iterator[tuple[int, Rated]]:
        """The turn's prompts with their pictures, drawn by the old policy."""
        n, done = self.tuning.prompts, Counter[str]()
        of = {"drawn": n * self.tuning.group, "rated": n * self.tuning.group * len(self.learned)}

        def on_picture(what: str) -> None:
            done[what] += 1
            on_part(what, done[what], of[what])

        for place, index in enumerate(chosen_examples(turn, n, len(self.captions), self.seed), turn * n):
            velocity = partial(self._networks(index).guided, OLD)
            generator = torch.Generator().manual_seed(self.seed * 1_000_037 + place)
            caption, request, device = self.captions[index], self.requests[index], self.dit.x_pad_token.device
            yield index, self.rater.rated(velocity, caption, request, device, generator, self.told, on_picture)

    def _networks(self, index: int) -> GuidedRoles:
        drawing, saves = self.tuning.drawing, self.tuning.saves_memory
        words = self.captions[index], self.no_caption
        shared = SharedRows(processes=self.rater.processes)
        return GuidedRoles(self.dit, self.roles, *words, drawing.cells, drawing.cfg, saves_memory=saves, shared=shared)

    def _group_losses(
        self, index: int, rated: Rated, generator: torch.Generator, *, is_on_policy: bool
    ) -> Iterator[Tensor]:
        if not rated.is_told_apart:
            return
        networks, n_pictures = self._networks(index), self.tuning.prompts * self.tuning.group
        for drawn, advantages in rated:
            if self.tuning.method == "nft":
                losses = self._nft_losses(networks, drawn, advantages, generator)
                yield from networks.shared_rows.parts(losses, n_pictures)
                continue
            for losses in self._grpo_losses(networks, drawn, advantages, is_on_policy=is_on_policy):
                yield from networks.shared_rows.parts(losses, n_pictures * len(drawn.decisions))

    def _grpo_losses(
        self, networks: GuidedRoles, drawn: Drawn, advantages: Float[Tensor, " b"], *, is_on_policy: bool
    ) -> Iterator[Float[Tensor, " b"]]:
        """Of each decision of a batch."""
        tuning, rule = self.tuning, self.tuning.drawing.rule
        for made in drawn.decisions:
            at = made.sigma, made.sigma_next
            step = rule.transition(made.x, networks.guided(POLICY, made.x, made.sigma), *at)
            new = rule.log_probability(made.x_next, step)
            # the same number, but for rounding: kernels differ where gradients are kept
            old = new.detach() if is_on_policy else made.log_probability
            losses = grpo_losses(new, old, advantages, tuning.clip)
            if tuning.kl:
                with torch.no_grad():
                    base = rule.transition(made.x, networks.guided(None, made.x, made.sigma), *at)
                distances = kl_losses(step, base)
                self.told.add("kl", *networks.shared_rows.own(distances).tolist())
                losses = losses + tuning.kl * distances
            self.roles.set_role(POLICY)  # blocks are computed again when gradients pass
            yield losses

    def _nft_losses(
        self, networks: GuidedRoles, drawn: Drawn, advantages: Float[Tensor, " b"], generator: torch.Generator
    ) -> Float[Tensor, " b"]:
        """Of a batch at fresh levels; guidance draws, and the prompt's own prediction learns."""
        z, nft = drawn.latents, self.tuning.nft
        sigma = draw_levels(torch.full((len(z),), HIGHEST), LOWEST, generator).to(z.device)
        x = renoised(z, sigma, drawn_like(z, generator))
        with torch.no_grad():
            old, base = (networks.velocity(role, x, sigma) for role in (OLD, None))
        velocity = networks.velocity(POLICY, x, sigma)
        return nft.losses(velocity, old, base, x, z, sigma, nft.optimality(advantages))


@torch.no_grad()
def follow(roles: Roles, decay: float) -> None:
    """Move the old policy to the learning one, all the way with a decay of 0."""
    old, learning = (roles.adapter(role).parameters() for role in (OLD, POLICY))
    for its, policys in zip(old, learning, strict=True):
        its.copy_(policys if decay == 0 else torch.lerp(policys, its, decay))
