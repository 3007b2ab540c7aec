"""Styles: the library complete in both languages, files as other programs write them, the prompt never changed."""

import csv
import io
import json
import re

import pytest

from zimage_core.text.styles import (
    STYLES_FILE,
    Style,
    apply_style,
    built_in_styles,
    by_name,
    styles_from_csv,
    styles_from_json,
)

ENTRIES = json.loads(STYLES_FILE.read_text("utf-8"))
CHINESE = re.compile("[\u4e00-\u9fff]")
OIL = Style(name="oil", english="An oil painting.", chinese="一幅油画。")


def test_every_style_has_a_name_and_a_sentence_in_both_languages():
    assert 20 <= len(ENTRIES) == len(by_name(built_in_styles()))
    for entry in ENTRIES:
        assert entry.keys() == {"name", "text"} and entry["name"].keys() == entry["text"].keys() == {"en", "zh"}
        for languages in entry.values():
            assert languages["en"].isascii() and not re.search("[A-Za-z]{3}", languages["zh"])
            assert CHINESE.search(languages["zh"])


def test_styles_are_whole_sentences_and_no_lists_of_tags():
    for entry in ENTRIES:
        english, chinese = entry["text"]["en"], entry["text"]["zh"]
        assert re.fullmatch(r"[A-Z][^.]+\.", english) and len(english.split()) >= 12, english
        assert re.fullmatch(r"[^。]+。", chinese) and len(chinese) >= 20, chinese
        assert not re.search(r"masterpiece|best quality|\b[48]k\b|trending|by [A-Z]", english)


@pytest.mark.parametrize(
    ("prompt", "styled"),
    [
        ("a fox", "a fox. An oil painting."),
        ("A fox.\n", "A fox. An oil painting."),
        ("一只狐狸", "一只狐狸。一幅油画。"),
        ("一只狐狸。", "一只狐狸。一幅油画。"),
        ("", "An oil painting."),
    ],
)
def test_a_style_follows_the_prompt_in_its_language(prompt, styled):
    assert apply_style(OIL, prompt) == styled


def test_a_style_with_a_place_for_the_prompt_takes_it_there_as_it_is():
    assert apply_style(Style(name="x", english="A print of {prompt}, in {red}.", chinese=""), "{prompt} ") == (
        "A print of {prompt} , in {red}."
    )


def test_a_table_of_styles_is_read_as_pythons_csv_writes_it():
    rows = [("mine", 'a "quoted" look,\nin two lines', "blurry"), ("", "no name", ""), ("none", "", "")]
    table = io.StringIO()
    csv.writer(table).writerows([("name", "prompt", "negative_prompt"), *rows])
    assert [(each.name, each.english, each.chinese) for each in styles_from_csv(table.getvalue())] == [
        ("mine", rows[0][1], rows[0][1])
    ]


def test_own_styles_in_json_have_one_language_or_two():
    one, two = styles_from_json('[{"name": "a", "text": "x"}, {"name": "b", "text": {"en": "x", "zh": "乙"}}]')
    assert (one.name, one.english, one.chinese) == ("a", "x", "x")
    assert (two.name, two.english, two.chinese) == ("b", "x", "乙")


@pytest.mark.parametrize("text", ["", "{}", "[1]", '[{"name": "a"}]', '[{"name": "", "text": "x"}]', "[" * 100_000])
def test_other_json_is_refused_in_words(text):
    with pytest.raises(ValueError, match="it is not|is no style"):
        styles_from_json(text)


def test_a_table_without_the_two_columns_is_refused_in_words():
    with pytest.raises(ValueError, match="name and prompt"):
        styles_from_csv("a,b\n1,2\n")
