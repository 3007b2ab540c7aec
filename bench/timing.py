"""Interleaved timing: every round runs everybody once, so that drift of the machine falls on all alike.

A peer is compared round by round with the first contestant; the median of these paired ratios and a bootstrap interval
are the result, never a ratio of two numbers measured at different times.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np
import torch
from tqdm import tqdm

from .contest import Contestant
from .machine import seconds

RESAMPLES = 5000


@dataclass(frozen=True, kw_only=True)
class Pace:
    """How long to measure: rounds until the time is up, but never fewer than `least` and never more than `most`."""

    seconds: float
    warmups: int = 3
    least: int = 3
    most: int = 25

    def __post_init__(self) -> None:
        if not 1 <= self.least <= self.most or self.warmups < 1:
            raise ValueError(
                f"{self.warmups} warm-ups, {self.least} to {self.most} rounds: give at least one warm-up and one round"
            )


@dataclass(frozen=True, kw_only=True)
class Ratio:
    """How many times longer a contestant takes than the first, and the 95 % interval of that median."""

    median: float
    low: float
    high: float


@torch.inference_mode()
def race(contestants: Sequence[Contestant], pace: Pace, device: torch.device) -> list[list[float]]:
    """Seconds of everybody in every round. Every other round runs backwards, every second one begins one later."""
    deadline = time.perf_counter() + pace.seconds
    progress = tqdm(total=pace.warmups + pace.most, leave=False)
    times: list[list[float]] = [[] for _ in contestants]
    for turn in range(pace.warmups + pace.most):
        progress.set_description("warm-up" if turn < pace.warmups else "timing")
        first = turn // 2 % len(contestants)
        order = [*range(first, len(contestants)), *range(first)]
        for index in order if turn % 2 == 0 else reversed(order):
            contestant = contestants[index]
            with contestant.scope():
                taken = seconds(contestant.run, device)
            if turn >= pace.warmups:
                times[index].append(taken)
        progress.update()
        rounds = len(times[0])
        if rounds >= pace.least and time.perf_counter() > deadline:
            break
    progress.close()
    return times


def paired_ratio(theirs: Sequence[float], ours: Sequence[float], seed: int = 0) -> Ratio:
    """The median over rounds of theirs / ours, with a percentile bootstrap over rounds."""
    ratios = np.asarray(theirs) / np.asarray(ours)
    generator = np.random.default_rng(seed)
    medians = np.median(ratios[generator.integers(len(ratios), size=(RESAMPLES, len(ratios)))], axis=1)
    low, high = np.quantile(medians, (0.025, 0.975))
    return Ratio(median=median(ratios.tolist()), low=float(low), high=float(high))
