"""Strengths against Anscombe's log odds and Hunter's (2004) iteration; intervals against known strengths."""

import numpy as np
import pytest

from zimage_core.evaluation.bradley_terry import ELO, MEAN_RATING, PRIOR, rating_intervals, ratings, strengths


@pytest.mark.parametrize("won,lost", [(0, 0), (1, 0), (7, 3), (2.5, 2.5), (0, 20000)])
def test_of_two_contestants_the_difference_is_the_log_odds_with_half_a_win_each(won, lost):
    one, other = strengths(np.array([[0, won], [lost, 0.0]]))
    assert one - other == pytest.approx(np.log((won + 0.5) / (lost + 0.5)), abs=1e-9)
    assert one + other == pytest.approx(0, abs=1e-12)


def by_minorization(wins):
    """Hunter's MM algorithm on the same games, in probabilities instead of their logarithms."""
    k = len(wins)
    games = wins + PRIOR / 2 / (k - 1) * (1 - np.eye(k))
    worth = np.ones(k)
    for _ in range(20000):
        sums = (games + games.T) / (worth[:, None] + worth[None, :])
        worth = games.sum(1) / sums.sum(1)
        worth /= np.exp(np.log(worth).mean())
    return np.log(worth)


@pytest.mark.parametrize("seed", range(3))
def test_of_many_contestants_the_strengths_are_those_of_another_algorithm(seed):
    rng = np.random.default_rng(seed)
    wins = rng.poisson(rng.uniform(0, 4, (6, 6))).astype(float) * (1 - np.eye(6))  # some pairs never met
    wins[0] = wins[:, 5] = 0  # one never won, one never lost
    assert strengths(wins) == pytest.approx(by_minorization(wins), abs=1e-8)


def test_four_hundred_points_are_ten_to_one_and_a_batch_is_its_members():
    wins = np.array([[[0, 99.5], [9.5, 0]], [[0, 3.0], [4, 0]]])
    first, second = ratings(wins)
    assert first[0] - first[1] == pytest.approx(400) and first.mean() == pytest.approx(MEAN_RATING)
    assert second == pytest.approx(ratings(wins[1]))


@pytest.mark.parametrize("true", [(0.6, -0.6), (0.8, 0.1, -0.9)])
def test_intervals_hold_the_true_strengths_of_simulated_votes(true):
    rng, true = np.random.default_rng(5), np.array(true)
    chance = 1 / (1 + np.exp(true[None] - true[:, None]))
    one, other = np.triu_indices(len(true), 1)
    held = []
    for _ in range(60):
        won = np.zeros((len(true), len(true)))
        won[one, other] = rng.binomial(25, chance[one, other])
        won[other, one] = 25 - won[one, other]
        intervals = rating_intervals(won, np.zeros_like(won))
        held += [low <= MEAN_RATING + ELO * each <= high for (low, high), each in zip(intervals, true, strict=True)]
    assert 0.9 <= np.mean(held) <= 1


def test_an_interval_is_wide_after_few_equal_votes_and_narrows_with_more():
    def width(votes, draws):
        (low, high), _ = rating_intervals(np.array([[0.0, votes], [0, 0]]), np.array([[0.0, draws], [draws, 0]]))
        return high - low

    assert width(3, 0) > 150 and width(0, 3) > 80
    assert width(50, 0) < width(3, 0) and width(0, 50) < 0.5 * width(0, 3)
