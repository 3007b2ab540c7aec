"""Measures one workload: interleaved timing of all runners, peak memory, and deviation from the reference result."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from torch import Tensor

from .deviation import Deviation, deviation
from .flops import workload_flops
from .memory import PeakMemory, peak_memory
from .random_weights import Inputs, Setup
from .runner import Runner
from .timing import Ratio, TimeBudget, paired_ratio, time_interleaved


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """One runner's results on one workload."""

    inputs: Inputs
    name: str
    seconds: list[float]
    ratio: Ratio  # its time relative to the workload's first runner
    peak_memory: PeakMemory
    mfu: float  # model FLOPs utilization: fraction of the peak GEMM throughput
    deviation: Deviation | None

    @property
    def time(self) -> float:
        """Median seconds."""
        return median(self.seconds)


def measure(
    runners: Sequence[Runner],
    inputs: Inputs,
    setup: Setup,
    budget: TimeBudget,
    peak_flops: float,
    reference: Tensor | None,
) -> list[Measurement]:
    """Measure all runners on one workload; the first is the baseline of the ratios."""
    times = time_interleaved(runners, budget, setup.device)
    work = workload_flops(inputs.workload, setup.dit, setup.text, setup.vae)
    return [
        Measurement(
            inputs=inputs,
            name=runner.name,
            seconds=taken,
            ratio=paired_ratio(taken, times[0]),
            peak_memory=peak_memory(runner, setup.device),
            mfu=work / median(taken) / peak_flops,
            deviation=None if reference is None else deviation(runner.run_once(), reference),
        )
        for runner, taken in zip(runners, times, strict=True)
    ]
