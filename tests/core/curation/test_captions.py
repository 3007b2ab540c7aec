"""Captions beside pictures, their terms, and BM25 against a value worked out by hand."""

import json
import math

import pytest

from zimage_core.curation.captions import bm25, captions_of, idf, statistics_of, terms
from zimage_core.data import read_picture_folder


def test_captions_are_those_that_training_reads(tmp_path):
    for name in ("a.png", "b.jpg", "c.png", "d.png"):
        (tmp_path / name).touch()
    (tmp_path / "a.txt").write_text("a fox")
    (tmp_path / "b.json").write_text(json.dumps({"caption": {"en": "a cat", "zh": "猫"}}))
    (tmp_path / "metadata.jsonl").write_text('{"file_name": "c.png", "text": "a dog"}\n')
    (tmp_path / "c.txt").write_text("not this")
    (tmp_path / "d.txt").write_text("a cow")
    read = {str(each.picture): each.captions for each in read_picture_folder(tmp_path)}
    assert dict(zip(read, captions_of(list(read)), strict=True)) == read
    (tmp_path / "e.png").touch()
    assert captions_of([str(tmp_path / "e.png")]) == [()]


def test_terms_are_words_and_chinese_letters_with_their_pairs():
    assert terms("A red-haired Fox, 2 ＦＯＸ_es!") == ["a", "red", "haired", "fox", "2", "fox", "es"]
    assert terms("雪地fox里") == ["雪", "地", "雪地", "fox", "里"]


def test_bm25_is_the_formula_by_hand():
    texts = [["red", "fox"], ["red", "red", "cat", "sits"], ["dog", "sits", "here"], []]
    statistics = statistics_of(texts)
    assert (statistics.documents, statistics.mean_length) == (3, 3)
    assert idf("red", statistics) == pytest.approx(math.log(1 + 1.5 / 2.5))
    assert idf("unknown", statistics) == pytest.approx(math.log(1 + 3.5 / 0.5))
    # "red" twice in four terms of a mean of three: 2 * 2.5 / (2 + 1.5 * (0.25 + 0.75 * 4 / 3))
    wanted = math.log(1.6) * 2 * 2.5 / (2 + 1.5 * 1.25) + math.log(1 + 2.5 / 1.5) * 2.5 / (1 + 1.5 * 1.25)
    assert bm25(["red", "cat", "red", "fish"], {"red": 2, "cat": 1}, 4, statistics) == pytest.approx(wanted)
