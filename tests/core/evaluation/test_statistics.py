"""Intervals and paired tests against SciPy's and closed forms."""

import math

import numpy as np
import pytest
from scipy import stats

from zimage_core.evaluation.intervals import interval, quantiles, resampled, wilson
from zimage_core.evaluation.paired import compare_runs, mcnemar, sign_flips
from zimage_core.evaluation.totals import MEAN, Pooled
from zimage_core.scoring.score import Measurement


@pytest.mark.parametrize("right,n", [(0, 1), (1, 1), (0, 50), (25, 50), (49, 50), (553, 2000)])
def test_wilsons_interval_is_scipys(right, n):
    expected = stats.binomtest(right, n).proportion_ci(method="wilson")
    assert wilson(right, n) == pytest.approx((expected.low, expected.high), abs=1e-12)


def terms_of(values):
    return np.array([[value, 1.0] for value in values])


def test_the_bootstrap_of_a_mean_is_its_normal_interval():
    values = np.random.default_rng(1).normal(0.5, 0.1, 1000)
    half = stats.norm.ppf(0.975) * values.std() / math.sqrt(len(values))
    found = interval(list(values), terms_of(values), MEAN)
    assert found.value == pytest.approx(values.mean())
    assert (found.low, found.high) == pytest.approx((values.mean() - half, values.mean() + half), abs=0.06 * 2 * half)


def test_nine_of_ten_intervals_and_more_hold_the_truth():
    rng = np.random.default_rng(2)
    hits = 0
    for seed in range(200):
        asked = rng.integers(1, 9, 80)
        found = rng.binomial(asked, 0.7)
        low, high = quantiles(
            resampled(np.stack([found, asked], -1).astype(float), Pooled(found="f", asked="a"), seed, 400)
        )
        hits += low <= 0.7 <= high
    assert 0.90 <= hits / 200 <= 0.99


def test_pictures_of_one_prompt_are_drawn_together():
    """Four equal pictures of a prompt say no more than one."""
    values = np.random.default_rng(3).random(60)
    one = interval(list(values), terms_of(values), MEAN)
    four = interval(list(np.repeat(values, 4)), 4 * terms_of(values), MEAN)
    assert (four.low, four.high) == pytest.approx((one.low, one.high))


def test_a_rate_of_single_pictures_has_wilsons_interval_and_nothing_measured_has_none():
    found = interval([1.0, 0.0, 1.0], terms_of([1.0, 0.0, 1.0]), MEAN)
    assert found.method == "Wilson" and (found.low, found.high) == wilson(2, 3)
    assert math.isnan(interval([], np.zeros((3, 2)), MEAN).value)


@pytest.mark.parametrize("better,worse", [(0, 0), (1, 0), (5, 5), (3, 11), (40, 12)])
def test_mcnemars_test_is_the_binomial_one(better, worse):
    expected = stats.binomtest(better, better + worse).pvalue if better + worse else 1.0
    assert mcnemar(better, worse) == pytest.approx(expected)


def test_flipped_signs_agree_with_scipys_permutation_test_exactly_and_at_random():
    differences = np.random.default_rng(4).normal(0.3, 1, 10)
    expected = stats.permutation_test((differences,), np.sum, permutation_type="samples", n_resamples=np.inf)
    assert sign_flips(differences) == pytest.approx(expected.pvalue)
    many = np.random.default_rng(5).normal(0.15, 1, 200)
    expected = stats.permutation_test((many,), np.sum, permutation_type="samples", n_resamples=20000, rng=1)
    assert sign_flips(many) == pytest.approx(expected.pvalue, abs=0.01)


def test_two_equal_runs_do_not_differ_and_a_clear_difference_is_real():
    rng = np.random.default_rng(6)
    one = rng.random(300)
    same = compare_runs(list(one), list(one), (terms_of(one), terms_of(one)), MEAN)
    assert (same.difference.value, same.difference.low, same.difference.high, same.p) == (0, 0, 0, 1)
    other = one + rng.normal(0.05, 0.1, 300)
    real = compare_runs(list(one), list(other), (terms_of(one), terms_of(other)), MEAN)
    assert real.is_real and real.difference.low > 0
    assert real.difference.value == pytest.approx((other - one).mean())


def test_chance_alone_seldom_counts_as_real():
    rng = np.random.default_rng(7)
    p = [sign_flips(rng.normal(0, 1, 12)) for _ in range(400)]
    assert 0.02 <= np.mean(np.array(p) < 0.05) <= 0.08


def test_a_pooled_total_weighs_words_and_leaves_unread_pictures_out():
    totals = Pooled(found="found", asked="words")
    read = [
        Measurement(value=1.0, parts={"found": 2.0, "words": 2.0}),
        Measurement(value=0.0, parts={"found": 0.0, "words": 8.0}),
    ]
    sums = np.array(totals.terms([*read, Measurement.missing("truncated")], ""))
    assert totals.total(sums) == pytest.approx(0.2)
