"""Groups of pictures of one prompt, drawn, decoded and rated: what rewards are learned from."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from PIL import Image
from torch import Tensor

from ..._shapes import Float
from ...scoring.score import Request
from ..distributed import ONE_PROCESS, Processes
from ..loop.batches import token_count
from ..objectives.grpo import group_advantages
from .noisy_drawing import Drawing, Drawn, Velocity, draw_in_batches
from .reward import Reward
from .told import Told

N_CHANNELS = 16


def nothing(what: str) -> None:
    """Nobody looks."""


@dataclass(frozen=True, kw_only=True)
class Rated:
    """Pictures in the batches that they were drawn in, and how much better each is than the others."""

    batches: tuple[Drawn, ...]
    advantages: Float[Tensor, " n"]

    def __iter__(self) -> Iterator[tuple[Drawn, Float[Tensor, " b"]]]:
        """Each batch with its advantages, on its device."""
        first = 0
        for drawn in self.batches:
            some = self.advantages[first : first + len(drawn.latents)]
            first += len(drawn.latents)
            yield drawn, some.to(drawn.latents.device, torch.float32)

    @property
    def is_told_apart(self) -> bool:
        """Whether there is anything to learn from."""
        return bool(self.advantages.count_nonzero())


@dataclass(frozen=True, kw_only=True)
class Rater:
    """Draws a group and asks what its pictures are worth."""

    reward: Reward
    decode: Callable[[Float[Tensor, "1 c h w"]], Image.Image]  # of a latent in model space
    drawing: Drawing
    group: int = 8  # pictures
    token_budget: int = 4608
    most_advantage: float = 5.0
    processes: Processes = ONE_PROCESS  # of several the first rates, for all

    def rated(
        self,
        velocity: Velocity,
        caption: Float[Tensor, "n f"],
        request: Request,
        device: torch.device,
        generator: torch.Generator,
        told: Told,
        on_picture: Callable[[str], None] = nothing,
    ) -> Rated:
        """The group of one prompt; `told` gets its rewards. Raises `RewardError` for a reward that fails.

        `on_picture` is called with "drawn" for each picture, and then with "rated" for each and every score.
        """
        size = max(1, self.token_budget // token_count(self.drawing.cells, len(caption)))
        noisy, starts = self.drawing.noisy_places(generator), self._starts(generator).to(device)
        batches, pictures = list[Drawn](), list[Image.Image]()
        for drawn in draw_in_batches(velocity, starts, self.drawing, noisy, size, generator):
            batches.append(drawn)
            for latent in drawn.latents:
                pictures.append(self._decoded(latent))
                on_picture("drawn")
        like = torch.zeros(len(self.reward.scores), len(pictures))
        rewards = self.processes.of_first(lambda: self.reward(pictures, request, lambda: on_picture("rated")), like)
        for score, numbers in zip(self.reward.scores, rewards.tolist(), strict=True):
            told.add(score.name, *(number if score.higher_is_better else -number for number in numbers))
        weights = torch.tensor(self.reward.weights)
        advantages = group_advantages(rewards[:, None], weights, self.most_advantage)[0]
        rated = Rated(batches=tuple(batches), advantages=advantages)
        told.add("told_apart", float(rated.is_told_apart))
        return rated

    @torch.no_grad()
    def _decoded(self, latent: Float[Tensor, "c h w"]) -> Image.Image:
        return self.decode(latent[None])

    def _starts(self, generator: torch.Generator) -> Float[Tensor, "n c h w"]:
        """One noise for all pictures whose steps differ, and one for each where only the noise can."""
        n = 1 if self.drawing.noisy_steps else self.group
        noise = torch.randn(n, N_CHANNELS, *self.drawing.cells, generator=generator)
        return noise.expand(self.group, -1, -1, -1).contiguous()
