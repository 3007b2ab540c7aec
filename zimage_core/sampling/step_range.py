"""The part of a schedule that one run takes, so that several runs can share it, each with a model of its own."""

from dataclasses import dataclass

from torch import Tensor

from .._shapes import Float

LAST_STEP = 10000  # beyond any schedule: to its end


@dataclass(frozen=True, kw_only=True)
class StepRange:
    """Steps `start` to `end` (not included) of a whole schedule, from 0. The defaults take all of it."""

    start: int = 0
    end: int = LAST_STEP
    keeps_noise: bool = False  # whether the noise left at `end` stays, for a run that goes on from there

    def of(self, sigmas: Float[Tensor, " n"], steps: int) -> Float[Tensor, " m"]:
        """The noise levels of a schedule of `steps` steps that lie in the range; fewer than two of them are no step.

        A schedule that image to image has shortened keeps its numbers: 0.6 of 10 steps are the steps 4 to 9. Where the
        noise left at the end may not stay, the last step goes to sigma 0.
        """
        first = steps + 1 - len(sigmas)  # the number of the first step that is left
        part = sigmas[: max(self.end - first, 0) + 1]
        if len(part) < len(sigmas) and not self.keeps_noise:
            part = part.clone()
            part[-1:] = 0
        return part[max(self.start - first, 0) :]
