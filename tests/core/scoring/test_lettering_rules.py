"""Rules for lettering against numbers worked out by hand from the authors' descriptions, and against their formulas."""

from difflib import get_close_matches
from functools import cache

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment

from zimage_core.scoring.lettering import RULES, edit_distance
from zimage_core.scoring.lettering.assignment import least_cost
from zimage_core.scoring.score import Measurement, Request


def measured(
    rule: str, lettering: str | tuple[str, ...], read: str | list[str], prompt: str = "", language: str = "en"
):
    texts = (lettering,) if isinstance(lettering, str) else lettering
    lines = [read] if isinstance(read, str) else read
    return RULES[rule].measure(Request(prompt=prompt, lettering=texts, language=language), lines)


@cache
def distance_by_recursion(one: str, other: str) -> int:
    if not one or not other:
        return len(one) + len(other)
    replaced = distance_by_recursion(one[1:], other[1:]) + (one[0] != other[0])
    return min(replaced, distance_by_recursion(one[1:], other) + 1, distance_by_recursion(one, other[1:]) + 1)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("", ""),
        ("", "abc"),
        ("kitten", "sitting"),
        ("春天花", "春花天"),
        ("Open", "open"),
        ("aab", "baa"),
        ("x" * 9, "y"),
    ],
)
def test_edit_distance_is_that_of_its_definition(one, other):
    assert edit_distance(one, other) == edit_distance(other, one) == distance_by_recursion(one, other)


@pytest.mark.parametrize(
    ("prompt", "read", "found", "words"),
    [
        ("A sign 'Open Now' here", ["OPEN", "now please"], 2, 2),  # case and order do not count
        ("A sign 'Open Open' here", ["open"], 2, 2),  # nor does how often
        ("A sign 'Hi!'", ["hi"], 0, 1),  # punctuation does
        ("Says 'Don't stop' above 'Bye'", ["don't stop", "above bye"], 1, 2),  # its spans are "Don" and " above "
        ("'春 天'", ["春天"], 0, 2),
        ("'One' and 'two'", [], 0, 2),
    ],
)
def test_published_word_accuracy(prompt, read, found, words):
    measurement = measured("CVTG-2K word accuracy", (), read, prompt)
    assert (measurement.parts["found"], measurement.parts["words"]) == (found, words)
    assert measurement.value == found / words


@pytest.mark.parametrize(
    ("lettering", "prompt", "read", "found", "words"),
    [
        ((), "Says 'Don't stop' above 'Bye'", ["don’t stop", "BYE"], 3, 3),
        (("Don't stop",), "", ["DON'T", "st0p"], 1, 2),
        ((), "Says ‘It’s on’", ["it's on"], 2, 2),
        (("Open", "Open"), "", ["open"], 2, 2),
        (("a b",), "never 'this'", [""], 0, 2),
    ],
)
def test_word_accuracy_takes_apostrophes_for_letters(lettering, prompt, read, found, words):
    measurement = measured("word accuracy", lettering, read, prompt)
    assert (measurement.parts["found"], measurement.parts["words"]) == (found, words)


def test_ned_is_the_mean_similarity_to_the_closest_word():
    measurement = measured("NED", ("open", "shop"), ["opem", "shop"])
    assert measurement.value == pytest.approx((1 - 1 / (4 + 1e-5) + 1) / 2, abs=1e-9)
    assert measured("NED", "abcd", []).value == pytest.approx(0, abs=1e-5)


def test_published_ned_takes_the_word_that_difflib_likes_best():
    for word, read in [("abcd", ["abzz", "xabc"]), ("flow", ["wolf", "fow"]), ("tide", ["diet", "tied"])]:
        ours = measured("NED", (), read, f"'{word}'").value
        closest = get_close_matches(word, read, n=1, cutoff=0)[0]
        similarities = {each: 1 - distance_by_recursion(word, each) / (max(4, len(each)) + 1e-5) for each in read}
        assert ours == pytest.approx(max(similarities.values()))
        assert measured("CVTG-2K NED", (), read, f"'{word}'").value == pytest.approx(similarities[closest])


@pytest.mark.parametrize(
    ("language", "lettering", "read", "matched", "targets"),
    [
        ("en", ("The cat, the hat!",), "the Hat. THE", 3, 4),  # duplicates count as often as they are there
        ("en", ("Don't stop",), "Dont stop", 2, 2),  # signs are dropped on both sides
        ("en", ("café",), "cafe", 0, 1),
        ("zh", ("春天来了", "Sale 50%"), ["春来", "sale 50"], 7, 10),  # 春 来 a l e 5 0: case counts in Chinese
        ("zh", ("好好学习",), "好学", 2, 4),
        ("en", ("a a a",), "a", 1, 3),
    ],
)
def test_overlap_is_that_of_multisets(language, lettering, read, matched, targets):
    for rule in ("text overlap", "LongText-Bench"):
        parts = measured(rule, lettering, read, language=language).parts
        assert (parts["matched"], parts["targets"]) == (matched, targets)


def test_overlap_keeps_what_the_published_form_loses():
    assert measured("text overlap", "Größe", "größe").value == 1
    assert measured("LongText-Bench", "ßß", "ßß").value is None  # nothing of it is left
    assert measured("text overlap", "ＡＢ１", "AB1", language="zh").value == 1
    assert measured("LongText-Bench", "AB1", "ＡＢ１", language="zh").value == 0


def test_the_published_clean_up_removes_only_its_last_phrase():
    read = "addCriterion hello No text recognized."
    assert measured("text overlap", "addCriterion hello", read).parts["matched"] == 1
    assert measured("LongText-Bench", "addCriterion hello", read).parts["matched"] == 2
    assert measured("LongText-Bench", "text recognized", read).parts["matched"] == 0


@pytest.mark.parametrize(
    ("language", "lettering", "read", "edits", "shared"),
    [
        ("en", "Hello World", "Hello, World!", 0, 1.0),
        ("en", "Hello World", "hello World", 1, 0.5),  # case matters
        ("en", "Hello World", "", 11, 0.0),
        ("zh", "春天来了", "春 天 了", 1, 0.75),
        ("zh", "春天来了", "spring", 6, 0.0),
        ("zh", "Sale 春天", "Sale春天", 0, 1.0),
    ],
)
def test_oneig_text_is_its_formula(language, lettering, read, edits, shared):
    measurement = measured("OneIG text", lettering, read, language=language)
    most = 50 if language == "zh" else 100
    assert measurement.parts["edits"] == edits
    exact = float(edits == 0)
    assert measurement.value == pytest.approx(1 - min(most, edits) * (1 - exact) * (1 - shared) / most)


def test_oneig_pools_before_its_formula():
    all_right, all_wrong = measured("OneIG text", "a b c", "a b c"), measured("OneIG text", "d", "xyz")
    pooled = RULES["OneIG text"].pool([all_right, all_wrong, Measurement.missing("no file")])
    assert pooled == pytest.approx(1 - (3 / 2) * (1 - 1 / 2) * (1 - 3 / 4) / 100)


@pytest.mark.parametrize("shape", [(1, 1), (3, 3), (2, 7), (7, 2), (12, 9)])
def test_the_cheapest_pairs_are_scipys(shape):
    for seed in range(20):
        costs = np.random.default_rng(seed).integers(0, 6, shape) / 5  # with ties
        assert least_cost(costs.tolist()) == pytest.approx(costs[linear_sum_assignment(costs)].sum())
    assert least_cost([]) == least_cost([[], []]) == 0


@pytest.mark.parametrize(
    ("lettering", "read", "gned", "recall"),  # as TIIF's scorer counts, and corrected
    [
        (("Tea", "eat"), ["TEA eat"], (0, 0), (1, 1)),
        (("tea", "eat"), ["eat", "tea"], (0, 0), (1, 1)),  # in any order
        (("tea", "tea"), ["tea"], (1 / 2, 1 / 2), (1 / 2, 1 / 2)),  # each word serves once
        (("delight",), ["deliqht"], (1 / 7, 1 / 7), (1, 1)),
        (("tea",), ["tee"], (1 / 3, 1 / 3), (0, 0)),  # more than 0.3 edits a letter
        (("tea",), [], (1, 1), (0, 0)),
        (("tea",), ["x", "tea", "y"], (2 / 3, 2 / 3), (1, 1)),
        (("tea",), ["tea  now"], (2 / 3, 1 / 2), (1, 1)),  # two spaces hold an empty word
        (("green tea",), ["green tea"], ((4 / 9 + 1) / 2, 0), (0, 1)),  # what was asked for is not split
        (("abcd", "abce"), ["abce", "xxxd"], ((0 + 3 / 4) / 2,) * 2, (1 / 2, 1 / 2)),
        (("abcde", "abcdf"), ["abcdf", "abcdeg"], (1 / 12, 1 / 12), (1 / 2, 1)),  # the first that will do is taken
        (("春天",), ["春夭"], (1 / 2, 1 / 2), (0, 0)),
    ],
)
def test_tiif_is_pairs_of_words(lettering, read, gned, recall):
    for names, wanted in ((("TIIF GNED", "GNED"), gned), (("TIIF recall", "word recall"), recall)):
        assert [measured(name, lettering, read).value for name in names] == pytest.approx(wanted)


@pytest.mark.parametrize(
    ("lettering", "read", "recall", "exact", "edits"),
    [
        (("OPEN",), ["OPEN"], 1.0, 1, 0),
        (("OPEN",), ["open"], 0.0, 0, 4),
        (("Open late", "Bar"), ["Open", "late", "Bar"], 1.0, 1, 0),  # lines break where they like
        (("Bar", "Open late"), ["Open late", "Bar"], 1.0, 1, 6),  # exact in any order; CER reads in one
        (("Bar",), ["Bar", "x"], 1.0, 0, 1),
        (("Bar", "Bar"), ["Bar"], 0.5, 0, 3),
        (("ab", "cd"), ["acdb"], 1.0, 0, 2),  # "ab" is not there once "cd" is taken out
        (("春天",), ["春 天"], 1.0, 1, 0),
        (("咖啡 Bar",), ["咖非Bar"], 0.8, 0, 1),
        (("a",), [], 0.0, 0, 1),
    ],
)
def test_rules_that_count_letters(lettering, read, recall, exact, edits):
    assert measured("character recall", lettering, read).value == pytest.approx(recall)
    assert measured("exact match", lettering, read).value == exact
    assert measured("CER", lettering, read).parts["edits"] == edits


@pytest.mark.parametrize("rule", RULES)
def test_a_request_without_text_is_missing_and_counts_for_nothing(rule):
    missing = measured(rule, (), ["some", "text"], prompt="a house")
    assert missing.value is None and "no text was asked for" in missing.problem
    assert RULES[rule].pool([missing]) is None


@pytest.mark.parametrize("rule", ["word accuracy", "text overlap", "character recall", "CER"])
def test_pooling_weighs_by_length(rule):
    long, short = measured(rule, "a b c d", "a b c d"), measured(rule, "z", "q")
    expected = {"CER": 1 / 5}.get(rule, 4 / 5)
    assert RULES[rule].pool([long, short]) == pytest.approx(expected)
