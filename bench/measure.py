"""Measures one cell: everybody in turn, their memory, and their distance from the exact answer."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from torch import Tensor

from .contest import Contestant
from .drift import Drift, drift
from .flops import cell_flops
from .memory import Peak, peak
from .random_weights import Inputs, Setup
from .timing import Pace, Ratio, paired_ratio, race


@dataclass(frozen=True, kw_only=True)
class Measured:
    """One contestant's figures in one cell."""

    inputs: Inputs
    name: str
    seconds: list[float]
    ratio: Ratio  # its time over that of the cell's first contestant
    peak: Peak
    utilisation: float  # of the machine's best plain product
    drift: Drift | None

    @property
    def time(self) -> float:
        """Median seconds."""
        return median(self.seconds)


def measure(
    contestants: Sequence[Contestant], inputs: Inputs, setup: Setup, pace: Pace, peak_flops: float, exact: Tensor | None
) -> list[Measured]:
    """All contestants of one cell; the first is what the others are compared with."""
    times = race(contestants, pace, setup.device)
    work = cell_flops(inputs.cell, setup.dit, setup.text, setup.vae)
    return [
        Measured(
            inputs=inputs,
            name=contestant.name,
            seconds=taken,
            ratio=paired_ratio(taken, times[0]),
            peak=peak(contestant, setup.device),
            utilisation=work / median(taken) / peak_flops,
            drift=None if exact is None else drift(contestant.once(), exact),
        )
        for contestant, taken in zip(contestants, times, strict=True)
    ]
