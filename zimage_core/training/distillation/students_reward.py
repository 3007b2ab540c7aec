"""What a student of few steps learns from rewards while it is distilled (DMDR): of groups of its own pictures.

It draws them as it is used, without guidance; by GRPO with steps that noise anew, which is how it is fed. Whoever it is
compared with, the old policy or the base of a pair, is the student as it is: what holds it is the distillation.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial

import torch
from PIL import Image
from torch import Tensor

from ..._shapes import Float
from ...model import S3DiT
from ...scoring.score import Request
from ..distributed import ONE_PROCESS, Processes, SharedRows
from ..objectives.diffusion_dpo import DiffusionDpo, Errors, pair_errors
from ..objectives.diffusion_nft import DiffusionNft
from ..objectives.grpo import Cps, grpo_losses
from ..objectives.matching_levels import drawn_like, renoised
from ..rewards.guided_roles import GuidedRoles
from ..rewards.noisy_drawing import Drawing
from ..rewards.rated_groups import Rated, Rater, nothing
from ..rewards.reward import Reward
from ..rewards.told import Told
from ..trainables import Roles
from .rollouts import fixed_grid
from .update import STUDENT, Distillation

DPO, NFT = DiffusionDpo(anchor=0.0), DiffusionNft(kl=0.0)


class StudentsReward:
    """The losses of a prompt's pictures, in parts, whose sum is the mean over them."""

    def __init__(
        self,
        dit: S3DiT,
        roles: Roles,
        captions: Sequence[Float[Tensor, "_ f"]],
        no_caption: Float[Tensor, "_ f"],
        requests: Sequence[Request],
        reward: Reward,
        decode: Callable[[Float[Tensor, "1 c h w"]], Image.Image],
        step_of: Distillation,
        on_picture: Callable[[str], None] = nothing,
        processes: Processes = ONE_PROCESS,
    ) -> None:
        """`captions` are the features of the `requests`; `decode` makes a picture of a latent in model space."""
        assert step_of.dmdr, "rewards belong to the method dmdr"
        self.dit, self.roles, self.step_of, self.dmdr = dit, roles, step_of, step_of.dmdr
        self.captions, self.no_caption, self.requests = captions, no_caption, requests
        self.told, self.learned, self.on_picture = Told(), reward.names, on_picture
        noisy_steps = step_of.nfe // 2 if step_of.dmdr.through == "grpo" else 0
        if step_of.dmdr.through == "grpo" and not noisy_steps:
            raise ValueError("a student of one step decides nothing on its way: choose nft or dpo for its rewards")
        self.rater = Rater(
            reward=reward,
            decode=decode,
            drawing=Drawing(
                cells=step_of.cells,
                steps=step_of.nfe,
                shift=step_of.shift,
                cfg=1.0,
                rule=Cps(),
                noisy_steps=noisy_steps,
            ),
            group=step_of.dmdr.group,
            token_budget=step_of.token_budget,
            processes=processes,
        )

    def __call__(self, index: int, generator: torch.Generator) -> Iterator[Float[Tensor, ""]]:
        """Of the prompt with that index. Raises `RewardError` for a reward that fails."""
        caption, device = self.captions[index], self.dit.x_pad_token.device
        networks = GuidedRoles(
            *(self.dit, self.roles, caption, self.no_caption, self.step_of.cells),
            cfg=1.0,
            saves_memory=self.step_of.saves_memory,
            shared=SharedRows(processes=self.rater.processes, together=2 if self.dmdr.through == "dpo" else 1),
        )
        velocity = partial(networks.guided, STUDENT)
        rated = self.rater.rated(velocity, caption, self.requests[index], device, generator, self.told, self.on_picture)
        if not rated.is_told_apart:
            return
        losses_of = {"grpo": self._grpo, "nft": self._nft, "dpo": self._dpo}[self.dmdr.through]
        for losses in losses_of(networks, rated, generator):
            self.roles.set_role(STUDENT)  # blocks are computed again when gradients pass
            yield from networks.shared_rows.parts(losses, self.dmdr.group)

    def _grpo(self, networks: GuidedRoles, rated: Rated, generator: torch.Generator) -> Iterator[Tensor]:
        """Every decision was the student's as it is, so that its ratio is 1."""
        rule = self.rater.drawing.rule
        for drawn, advantages in rated:
            for made in drawn.decisions:
                velocity = networks.guided(STUDENT, made.x, made.sigma)
                step = rule.transition(made.x, velocity, made.sigma, made.sigma_next)
                new = rule.log_probability(made.x_next, step)
                yield grpo_losses(new, new.detach(), advantages) / len(drawn.decisions)

    def _nft(self, networks: GuidedRoles, rated: Rated, generator: torch.Generator) -> Iterator[Tensor]:
        for drawn, advantages in rated:
            z = drawn.latents
            sigma = self._levels(len(z), generator, z.device)
            x = renoised(z, sigma, drawn_like(z, generator))
            velocity = networks.velocity(STUDENT, x, sigma)
            own = velocity.detach()
            yield NFT.losses(velocity, own, own, x, z, sigma, NFT.optimality(advantages))

    def _dpo(self, networks: GuidedRoles, rated: Rated, generator: torch.Generator) -> Iterator[Tensor]:
        """The best picture of the group against its worst; their one loss counts as that of all its pictures."""
        latents = torch.cat([drawn.latents for drawn in rated.batches])
        both = latents[[int(rated.advantages.argmax()), int(rated.advantages.argmin())]]
        sigma = self._levels(1, generator, both.device).expand(2)
        noise = drawn_like(both[:1], generator).expand_as(both)
        policy = pair_errors(networks.velocity(STUDENT, renoised(both, sigma, noise), sigma), both, noise)
        base = Errors(policy.chosen.detach(), policy.rejected.detach())
        yield self.dmdr.group * DPO.losses(policy, base)

    def _levels(self, n: int, generator: torch.Generator, device: torch.device) -> Float[Tensor, " n"]:
        """Levels that the student is fed at."""
        return fixed_grid(n, self.step_of.nfe, self.step_of.shift, generator).sigma.to(device)
