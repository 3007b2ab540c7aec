"""Choices in prompts, against Python's own weighted draw, closed-form frequencies and values worked out by hand."""

import itertools
import math
from collections import Counter
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zimage_core.text.resolve import resolve

SEEDS = 6000
FILES = {
    "colours": ["red", "3::blue"],
    "pets": ["a {big|small} cat", "a __colours__ dog"],
    "here/again": ["__here/back__"],
    "here/back": ["__here/again__"],
    "broken": ["{never closed"],
    "long": ["x" * 60_000],
}


def resolved(text, seed=0):
    return resolve(text, seed, FILES.__getitem__)


def frequencies(text):
    return Counter(resolved(text, seed) for seed in range(SEEDS))


def assert_frequencies(text, expected):
    """Every text appears and no other; counts lie within five standard deviations of a binomial."""
    assert math.isclose(sum(expected.values()), 1)
    found = frequencies(text)
    assert found.keys() == expected.keys()
    for each, share in expected.items():
        assert abs(found[each] - SEEDS * share) < 5 * math.sqrt(SEEDS * share * (1 - share)), each


def test_known_values_worked_out_from_pythons_published_sequence():
    """random.Random(0) begins 0.8444, 0.7580, 0.4206: of three the last, the last and the second."""
    assert resolved("{a|b|c}{a|b|c}{a|b|c}", 0) == "ccb"
    assert resolved("{a|b|c}{a|b|c}{a|b|c}", 1) == "acc"  # 0.1344, 0.8474, 0.7638
    assert resolved("{5::a|b}", 0) == "b" and resolved("{6::a|b}", 0) == "a"  # 0.8444 between 5/6 and 6/7


@given(st.integers(0, 2**64 - 1), st.lists(st.integers(1, 9), min_size=2, max_size=6))
def test_one_choice_is_pythons_own_weighted_draw(seed, weights):
    letters = "abcdef"[: len(weights)]
    text = "{" + "|".join(f"{weight}::{letter}" for weight, letter in zip(weights, letters, strict=True)) + "}"
    assert resolved(text, seed) == Random(seed).choices(letters, weights)[0]


def test_every_combination_appears_as_often_as_it_should():
    both = {f"{one} {two}": 1 / 6 for one, two in itertools.product("ab", "123")}
    assert_frequencies("{a|b} {1|2|3}", both)
    assert_frequencies("{a|{b|c}}", {"a": 1 / 2, "b": 1 / 4, "c": 1 / 4})
    assert_frequencies("{3::a|b|0::c}", {"a": 3 / 4, "b": 1 / 4})
    assert_frequencies("{2$$a|b|c}", {", ".join(pair): 1 / 6 for pair in itertools.permutations("abc", 2)})
    assert_frequencies("{2$$-$$2::a|b|b}", {"a-b": 1 / 2, "b-a": 1 / 3, "b-b": 1 / 6})
    assert_frequencies("__pets__", {"a big cat": 1 / 4, "a small cat": 1 / 4, "a red dog": 1 / 8, "a blue dog": 3 / 8})


@given(st.text(st.characters(exclude_characters="{}\\_")), st.integers(0, 2**64 - 1))
def test_a_text_without_braces_is_the_same_with_every_seed(text, seed):
    assert resolved(text, seed) == text


@pytest.mark.parametrize(
    "text",
    [
        '{"subject": "a fox", "light": {"from": "left"}}',
        "{} {3::a} {{a}}",
        "a | b, __ and __, ____, snake_case_word, (fox:1.3), C:\\foxes",
        "",
    ],
)
def test_what_is_no_choice_stays_as_it_is(text):
    assert resolved(text) == text


def test_a_backslash_keeps_a_sign():
    assert resolved(r"\{a\|b\} \__colours__ {a\|b|a\|b} \\") == "{a|b} __colours__ a|b \\"


def test_an_undecided_branch_takes_no_chance_from_what_follows():
    plain = [resolved("{a|b}{1|2|3}", seed) for seed in range(50)]
    nested = [resolved("{a|b}{1|2|{3|3|3}}", seed) for seed in range(50)]
    assert plain == nested


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a {b|c", "at character 3 of the prompt is not closed"),
        ("a} b", "at character 2 of the prompt closes nothing"),
        ("{4$$a|b}", "asks for 4 different texts of 2"),
        ("{0::a|0::b}", "weight 0"),
        ("{" * 2000 + "}" * 2000, "more than 40 braces"),
        ("{a|b}" * 1001, "more than 1000 choices"),
        ("__long__ __long__", "grow beyond 100000 characters"),
        ("__here/again__", "here/again > here/back > here/again"),
        ("__broken__", "wildcard broken cannot be read"),
    ],
)
def test_what_cannot_be_resolved_is_said_in_a_sentence(text, said):
    with pytest.raises(ValueError, match="^[A-Z{].*[.]$") as error:
        resolved(text)
    assert said in str(error.value)
