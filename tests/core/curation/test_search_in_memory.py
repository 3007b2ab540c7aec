"""Search in memory: cosines by brute force, BM25 by hand."""

import math
from pathlib import Path

import numpy as np
import pytest

from zimage_core.curation.search import nearest, that_say


def unit(rows):
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def test_the_nearest_are_those_of_brute_force_and_of_several_queries_the_nearest_counts():
    rng = np.random.default_rng(0)
    vectors, queries = unit(rng.normal(size=(40, 6))), unit(rng.normal(size=(2, 6)))
    paths = [f"{number:02}" for number in range(40)]
    found = nearest(paths, vectors, queries, 7)
    cosines = [max(float(np.dot(row, query)) for query in queries) for row in vectors]
    wanted = sorted(zip(cosines, paths, strict=True), reverse=True)[:7]
    assert [each.path for each in found] == [path for _, path in wanted]
    assert [each.score for each in found] == pytest.approx([score for score, _ in wanted], abs=1e-6)
    assert nearest([], np.empty((0, 6), np.float32), queries, 7) == []


def test_captions_are_ranked_by_bm25_and_pictures_without_one_do_not_count(tmp_path: Path):
    said = {"a": "red fox", "b": "red fox red den", "c": "blue bird", "d": None, "e": "一只红狐狸"}
    for name, words in said.items():
        if words:
            (tmp_path / f"{name}.txt").write_text(words, "utf-8")
    paths = [str(tmp_path / f"{name}.png") for name in said]
    found = {Path(each.path).stem: each.score for each in that_say(paths, "red", 9)}
    # four captions of 2, 4, 2 and 5 + 4 terms (letters and pairs); two of them say red, once and twice
    rare, mean = math.log(1 + (4 - 2 + 0.5) / (2 + 0.5)), (2 + 4 + 2 + 9) / 4
    score = lambda times, length: rare * times * 2.5 / (times + 1.5 * (0.25 + 0.75 * length / mean))  # noqa: E731
    assert found == pytest.approx({"b": score(2, 4), "a": score(1, 2)})
    assert list(found) == sorted(found, key=lambda name: -found[name])
    assert [Path(each.path).stem for each in that_say(paths, "狐狸", 9)] == ["e"]
    assert that_say(paths, "submarine", 9) == []


def test_without_any_caption_it_says_what_to_do(tmp_path: Path):
    with pytest.raises(ValueError, match="None of these pictures has a caption"):
        that_say([str(tmp_path / "a.png")], "red", 9)
