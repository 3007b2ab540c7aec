"""Interleaved rounds, their order and number, and the paired ratios."""

from math import comb

import pytest
import torch

from bench.runner import Runner
from bench.timing import TimeBudget, paired_ratio, time_interleaved

CPU = torch.device("cpu")


def test_drift_common_to_both_cancels_out():
    ours = [1.0, 5.0, 2.0, 9.0, 3.0]
    ratio = paired_ratio([2 * each for each in ours], ours)
    assert (ratio.median, ratio.low, ratio.high) == (2.0, 2.0, 2.0)


def quantile_of_median(n: int, probability: float) -> int:
    """Rank of the bootstrap median's quantile among n ordered values, from the binomial distribution."""
    for k in range(1, n + 1):
        below = k / n
        draws = range((n + 1) // 2, n + 1)
        if sum(comb(n, j) * below**j * (1 - below) ** (n - j) for j in draws) >= probability:
            return k
    raise AssertionError


@pytest.mark.parametrize("n", [3, 15, 25])
def test_the_interval_is_the_bootstrap_medians(n):
    """Medians of resampled distinct values follow a binomial distribution, so their quantiles are known exactly."""
    values = [float(value) for value in range(1, n + 1)]
    ratio = paired_ratio(values, [1.0] * n)
    assert ratio.median == (n + 1) / 2
    assert (ratio.low, ratio.high) == (quantile_of_median(n, 0.025), quantile_of_median(n, 0.975))


def test_every_runner_runs_in_every_round_in_changing_order():
    order: list[str] = []

    def runner(name: str) -> Runner:
        return Runner(name, lambda: order.append(name) or torch.ones(()))

    times = time_interleaved(
        [runner("a"), runner("b")], TimeBudget(seconds=0, warmups=1, min_rounds=3, max_rounds=9), CPU
    )
    assert [len(each) for each in times] == [3, 3]  # no time left, so the minimum number of rounds
    assert "".join(order) == "abbabaab"


def test_rounds_end_at_the_maximum_when_time_is_left():
    times = time_interleaved(
        [Runner("a", lambda: torch.ones(()))], TimeBudget(seconds=60, warmups=1, min_rounds=1, max_rounds=4), CPU
    )
    assert len(times[0]) == 4


@pytest.mark.parametrize("wrong", [{"min_rounds": 0}, {"warmups": 0}, {"min_rounds": 5, "max_rounds": 4}])
def test_a_time_budget_without_rounds_is_refused(wrong):
    with pytest.raises(ValueError, match="at least one warm-up and one round"):
        TimeBudget(seconds=1, **wrong)
