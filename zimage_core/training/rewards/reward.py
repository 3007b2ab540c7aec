"""Scores as rewards: weighted, higher for better, and a sentence about one that fails or tells nothing."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from PIL import Image
from torch import Tensor

from ..._shapes import Float
from ...scoring.score import Measurement, OfWholePrompts, Request, Score, title
from ...text.protected import quoted_texts


class RewardError(ValueError):
    """A reward that cannot be learned from; what was learned before is saved, and the run can go on."""


def request_of(prompt: str) -> Request:
    """What a picture of a prompt is asked to show; the texts in quotation marks should be readable in it."""
    return Request(prompt=prompt, lettering=tuple(each[1:-1] for each in quoted_texts(prompt)))


@dataclass(frozen=True, kw_only=True)
class Reward:
    """One score, or several with weights; each is compared within a group by itself, so that scales do not matter."""

    scores: tuple[Score, ...]
    weights: tuple[float, ...]

    def __post_init__(self) -> None:
        if not self.scores or len(self.scores) != len(self.weights):
            raise ValueError(f"a reward has a weight for each of its scores, not {len(self.weights)} weights")
        if not all(math.isfinite(weight) and weight for weight in self.weights):
            raise ValueError(f"the weights of a reward are numbers other than 0, and not {self.weights}")

    @property
    def names(self) -> tuple[str, ...]:
        """Of the scores."""
        return tuple(score.name for score in self.scores)

    def __call__(
        self, pictures: Sequence[Image.Image], request: Request, on_rated: Callable[[], None] = lambda: None
    ) -> Float[Tensor, "k n"]:
        """Each score's numbers of one prompt's pictures, higher for better; NaN where it told none.

        Slow scores can be watched and stopped: `on_rated` is called for each picture and score, one after another where
        a score does not need all at once. Raises `RewardError` for a score that fails, or that tells no number of any
        of the pictures.
        """
        return torch.stack([self._numbers(score, pictures, request, on_rated) for score in self.scores])

    def _numbers(
        self, score: Score, pictures: Sequence[Image.Image], request: Request, on_rated: Callable[[], None]
    ) -> Float[Tensor, " n"]:
        measured = list[Measurement]()
        for some in [pictures] if isinstance(score, OfWholePrompts) else [[picture] for picture in pictures]:
            measured += self._measured(score, some, request)
            for _ in some:
                on_rated()
        values = [math.nan if each.value is None else float(each.value) for each in measured]
        if not any(map(math.isfinite, values)):
            why = next((each.problem for each in measured if each.problem), "") or f"its numbers are {values}"
            raise RewardError(
                f"the reward {title(score)} has no number for any of {len(pictures)} pictures of {request.prompt!r} "
                f"({why}): choose another reward or other prompts"
            )
        sign = 1.0 if score.higher_is_better else -1.0
        return torch.tensor([sign * value if math.isfinite(value) else math.nan for value in values])

    def _measured(self, score: Score, pictures: Sequence[Image.Image], request: Request) -> list[Measurement]:
        try:
            return score(pictures, [request] * len(pictures))
        except (MemoryError, torch.OutOfMemoryError):
            raise
        except Exception as error:
            told = " ".join(str(error).split()) or type(error).__name__
            raise RewardError(
                f"the reward {title(score)} failed ({told}): fix it and start again; the run goes on where it was"
            ) from error


def scores_of_checks(reward: Reward | None, unrewarded: Sequence[Score]) -> list[Score]:
    """What checks read beside the pictures' statistics."""
    rewarded = reward.scores if reward else ()
    names = {score.name for score in rewarded}
    return [*rewarded, *(score for score in unrewarded if score.name not in names)]
