"""Rounds, their order, and what is made of their times."""

from math import comb

import pytest
import torch

from bench.contest import Contestant
from bench.timing import Pace, paired_ratio, race

CPU = torch.device("cpu")


def test_drift_that_falls_on_both_leaves_no_trace():
    ours = [1.0, 5.0, 2.0, 9.0, 3.0]
    ratio = paired_ratio([2 * each for each in ours], ours)
    assert (ratio.median, ratio.low, ratio.high) == (2.0, 2.0, 2.0)


def quantile_of_median(n: int, probability: float) -> int:
    """Which of n ordered values is the bootstrap median's quantile: it is at most the k-th where most draws are."""
    for k in range(1, n + 1):
        below = k / n
        draws = range((n + 1) // 2, n + 1)
        if sum(comb(n, j) * below**j * (1 - below) ** (n - j) for j in draws) >= probability:
            return k
    raise AssertionError


@pytest.mark.parametrize("n", [3, 15, 25])
def test_the_interval_is_the_bootstrap_medians(n):
    """Resampled medians of distinct values follow a binomial law, so their quantiles are known exactly."""
    values = [float(value) for value in range(1, n + 1)]
    ratio = paired_ratio(values, [1.0] * n)
    assert ratio.median == (n + 1) / 2
    assert (ratio.low, ratio.high) == (quantile_of_median(n, 0.025), quantile_of_median(n, 0.975))


def test_everybody_runs_in_every_round_in_changing_order():
    order: list[str] = []

    def contestant(name: str) -> Contestant:
        return Contestant(name, lambda: order.append(name) or torch.ones(()))

    times = race([contestant("a"), contestant("b")], Pace(seconds=0, warmups=1, least=3, most=9), CPU)
    assert [len(each) for each in times] == [3, 3]  # no time left, so the fewest rounds
    assert "".join(order) == "abbabaab"


def test_rounds_end_at_the_most_when_time_is_left():
    times = race([Contestant("a", lambda: torch.ones(()))], Pace(seconds=60, warmups=1, least=1, most=4), CPU)
    assert len(times[0]) == 4


@pytest.mark.parametrize("wrong", [{"least": 0}, {"warmups": 0}, {"least": 5, "most": 4}])
def test_a_pace_without_rounds_is_refused(wrong):
    with pytest.raises(ValueError, match="at least one warm-up and one round"):
        Pace(seconds=1, **wrong)
