"""The verdict on pairs: what is known of it in closed form."""

import pytest

from zimage_core.evaluation.pairs import paired


def test_all_pairs_in_one_direction_are_a_real_difference_from_six_on():
    for n, is_real in ((5, False), (6, True)):
        found = paired([0.0] * n, [1.0 + k for k in range(n)], higher_is_better=True)
        assert found.difference.difference.value == (n + 1) / 2 and found.difference.p == 2.0 ** (1 - n)
        assert found.verdict.startswith("B is better" if is_real else "too few pairs")


def test_lower_is_better_turns_the_verdict_and_the_other_order_turns_the_sign():
    one, other = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0], [2.0, 4.0, 5.0, 6.0, 7.0, 9.0]
    assert paired(one, other, higher_is_better=False).verdict == "A is better"
    there, back = paired(one, other, higher_is_better=True), paired(other, one, higher_is_better=True)
    assert there.difference.difference.value == -back.difference.difference.value
    assert there.difference.p == back.difference.p and back.verdict == "A is better"


def test_a_picture_without_a_number_takes_its_partner_out():
    found = paired([1.0, None, 3.0], [2.0, 5.0, None], higher_is_better=True)
    assert (found.one, found.other) == ((1.0,), (2.0,))
    with pytest.raises(ValueError, match="in both columns"):
        paired([None, 1.0], [1.0, None], higher_is_better=True)


def test_no_difference_is_none():
    found = paired([0.5] * 8, [0.5] * 8, higher_is_better=True)
    assert found.difference.p == 1 and found.verdict == "no real difference"
