"""Interleaved timing: every round runs each runner once, so that clock and load drift affect all alike.

Runners are compared with the first one round by round. The result is the median of these paired ratios with a
bootstrap confidence interval, never a ratio of two numbers measured at different times.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np
import torch
from tqdm import tqdm

from .machine import seconds
from .runner import Runner

RESAMPLES = 5000


@dataclass(frozen=True, kw_only=True)
class TimeBudget:
    """How long to measure: rounds until `seconds` have passed, between `min_rounds` and `max_rounds`."""

    seconds: float
    warmups: int = 3
    min_rounds: int = 3
    max_rounds: int = 25

    def __post_init__(self) -> None:
        if not 1 <= self.min_rounds <= self.max_rounds or self.warmups < 1:
            raise ValueError(
                f"{self.warmups} warm-ups, {self.min_rounds} to {self.max_rounds} rounds: "
                "give at least one warm-up and one round"
            )


@dataclass(frozen=True, kw_only=True)
class Ratio:
    """Median time ratio to the first runner, with its 95 % confidence interval."""

    median: float
    low: float
    high: float


@torch.inference_mode()
def time_interleaved(runners: Sequence[Runner], budget: TimeBudget, device: torch.device) -> list[list[float]]:
    """Seconds per runner and round. The order is reversed every other round and rotated by one every two rounds."""
    deadline = time.perf_counter() + budget.seconds
    progress = tqdm(total=budget.warmups + budget.max_rounds, leave=False)
    times: list[list[float]] = [[] for _ in runners]
    for round_index in range(budget.warmups + budget.max_rounds):
        progress.set_description("warm-up" if round_index < budget.warmups else "timing")
        first = round_index // 2 % len(runners)
        order = [*range(first, len(runners)), *range(first)]
        for index in order if round_index % 2 == 0 else reversed(order):
            runner = runners[index]
            with runner.scope():
                taken = seconds(runner.run, device)
            if round_index >= budget.warmups:
                times[index].append(taken)
        progress.update()
        if len(times[0]) >= budget.min_rounds and time.perf_counter() > deadline:
            break
    progress.close()
    return times


def paired_ratio(theirs: Sequence[float], ours: Sequence[float], seed: int = 0) -> Ratio:
    """Median over rounds of theirs / ours, with a percentile bootstrap interval over rounds."""
    ratios = np.asarray(theirs) / np.asarray(ours)
    generator = np.random.default_rng(seed)
    medians = np.median(ratios[generator.integers(len(ratios), size=(RESAMPLES, len(ratios)))], axis=1)
    low, high = np.quantile(medians, (0.025, 0.975))
    return Ratio(median=median(ratios.tolist()), low=float(low), high=float(high))
