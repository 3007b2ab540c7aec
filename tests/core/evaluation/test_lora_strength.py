"""Which strength is taken, on columns whose answer is plain, and what burning is in closed form."""

import numpy as np
import pytest

from zimage_core.evaluation.lora_strength import SMALLEST, Tried, burning, chosen, look


def tried(identities, burnings):
    columns = enumerate(zip(identities, burnings, strict=True))
    return [Tried(strength=n / 2, identity=i, burning=b, factors=(1.0, 1.0, 1.0)) for n, (i, b) in columns]


@pytest.mark.parametrize(
    ("identities", "burnings", "strength", "why"),
    [
        ([0.0, 1.0, 2.0, 3.0], [0.0, 0.1, 0.2, 0.3], 1.5, "higher ones may bring more"),
        ([0.0, 1.0, 2.0, 3.0], [0.0, 0.1, 0.2, 1.3], 1.0, "burn at 1.5"),
        ([0.0, 2.0, 1.0, 3.0], [0.0, 0.1, 0.2, 1.3], 0.5, "burn at 1.5"),
        ([0.0, 1.0, 1.0, 3.0], [0.0, 0.1, 1.2, 0.3], 0.5, "burn at 1"),
        ([0.0, 2.0, 2.0, 2.0], [0.0, 0.1, 0.2, 0.3], 0.5, "none burns"),
        ([3.0, 1.0, 2.0, 3.0], [0.0, 0.1, 0.2, 0.3], 0.0, "no strength brings more"),
        ([0.0, 1.0, 2.0, 3.0], [0.0, 1.1, 0.2, 0.3], 0.0, "even 0.5 burns"),
    ],
)
def test_the_most_before_the_first_burnt_strength_is_taken(identities, burnings, strength, why):
    choice = chosen(tried(identities, burnings), limit=1.0)
    assert choice.strength == strength and why in choice.why


def test_twice_the_saturation_is_burning_of_1():
    plain = np.zeros((1, 3))
    assert burning(plain, plain) == (0.0, (1.0, 1.0, 1.0))
    distance, factors = burning(plain + [1.0, 0.0, 0.0], plain)
    assert (distance, factors) == (1.0, (2.0, 1.0, 1.0))
    assert burning(plain + [0.6, 0.8, 0.0], plain)[0] == pytest.approx(1.0)


def test_a_grey_picture_has_no_look_but_the_least():
    assert look(np.full((16, 16, 3), 99.0)) == pytest.approx(np.log2(SMALLEST))
