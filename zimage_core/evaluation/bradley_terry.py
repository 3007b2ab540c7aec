"""How strong contestants are by their comparisons: the model of Bradley and Terry (1952), on Elo's scale.

i beats j with chance 1 / (1 + exp(s_j - s_i)); the strengths s are the most likely ones given all comparisons at once.
Unlike Elo's running updates they do not depend on the order of the comparisons. A draw is half a win for each. Every
contestant starts with one draw, spread over all others: without it whoever never lost would be infinitely strong. Of
two contestants the difference is then Anscombe's (1956) log odds, log((w + 1/2) / (l + 1/2)).

Letters: k contestants, r resamples, m pairs of contestants.
"""

from math import log

import numpy as np
from numpy.typing import NDArray

from .intervals import quantiles

Array = NDArray[np.float64]

PRIOR = 1.0  # draws that each contestant starts with
MEAN_RATING = 1000.0
ELO = 400 / log(10)  # 400 points are odds of ten to one
RESAMPLES = 1000
LONGEST_STEP = 0.8  # with steps this short Newton's method always climbs (Bach, arXiv 0910.4627, equation 3)
MOST_STEPS = 200
EXACT = 1e-10


def strengths(wins: Array) -> Array:
    """Most likely strengths (…, k) with mean 0; `wins` (…, k, k) tells how often i beat j, a draw as half for each."""
    k = wins.shape[-1]
    games = wins + PRIOR / 2 / (k - 1) * (1 - np.eye(k))
    both = games + np.swapaxes(games, -1, -2)
    found = np.zeros(wins.shape[:-1])
    for _ in range(MOST_STEPS):
        chance = _chances(found)
        slope = (games - both * chance).sum(-1)  # (…, k)
        weight = both * chance * (1 - chance)
        curvature = weight.sum(-1)[..., None] * np.eye(k) - weight + 1 / k  # the last term keeps the mean
        step = np.linalg.solve(curvature, slope[..., None])[..., 0]
        longest = np.abs(step).max(-1, keepdims=True)
        found = found + step * np.minimum(1, LONGEST_STEP / np.maximum(longest, EXACT))
        if longest.max() < EXACT:
            break
    return found - found.mean(-1, keepdims=True)


def ratings(wins: Array) -> Array:
    """The same on Elo's scale: mean 1000, and 400 points more win ten times as often as they lose."""
    return MEAN_RATING + ELO * strengths(wins)


def rating_intervals(won: Array, drawn: Array, seed: int = 0) -> list[tuple[float, float]]:
    """95 % intervals of the ratings by the parametric bootstrap.

    `won` (k, k) are the decided comparisons, `drawn` (k, k) the draws of each pair, symmetric. As many comparisons are
    thrown again by the fitted strengths, and fitted. Comparisons drawn again from those that were made would say after
    three equal votes that a fourth cannot differ.
    """
    one, other = np.triu_indices(len(won), 1)  # (m,)
    draws = drawn[one, other]
    played = won[one, other] + won[other, one] + draws
    chance = _chances(strengths(won + drawn / 2))[one, other]
    tied = np.minimum((draws + 0.5) / (played + 1), 2 * np.minimum(chance, 1 - chance))
    outcomes = np.stack([chance - tied / 2, tied, 1 - chance - tied / 2], axis=-1).clip(0, 1)  # (m, 3)
    rng = np.random.default_rng(seed)
    thrown = rng.multinomial(played.astype(int), outcomes, size=(RESAMPLES, len(one)))  # (r, m, 3)
    wins = np.zeros((RESAMPLES, *won.shape))
    wins[:, one, other] = thrown[..., 0] + thrown[..., 1] / 2
    wins[:, other, one] = thrown[..., 2] + thrown[..., 1] / 2
    return [quantiles(each) for each in ratings(wins).T]


def _chances(found: Array) -> Array:
    """How likely i beats j, (…, k, k)."""
    return 1 / (1 + np.exp(found[..., None, :] - found[..., :, None]))
