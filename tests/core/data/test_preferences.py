"""Preference pairs on disk: what is written is read, files of others are, and a line that is none is named."""

import json

import pytest

from zimage_core.data.preferences import Preference, read_preferences, write_preferences


def test_what_is_written_is_read_in_any_language(tmp_path):
    file = tmp_path / "preferences.jsonl"
    written = [
        Preference(prompt='雪中"红狐"\nline two', chosen="pictures/a.png", rejected="pictures/b.png", chosen_seed=3),
        Preference(prompt="", chosen="c.png", rejected="a.png", draw=True, side="right", chosen_by="基础 base"),
    ]
    write_preferences(file, written)
    assert read_preferences(file) == written
    assert len(file.read_text("utf-8").splitlines()) == 2


def test_files_of_others_need_three_names_and_may_have_more(tmp_path):
    file = tmp_path / "theirs.jsonl"
    line = {"prompt": "a fox", "chosen": "1.png", "rejected": "2.png", "annotator": "x"}
    file.write_text(json.dumps(line) + "\n\n")
    assert read_preferences(file) == [Preference(prompt="a fox", chosen="1.png", rejected="2.png")]


@pytest.mark.parametrize(
    "line", ['{"prompt": "x"', "[]", '{"prompt": "x", "chosen": "y"}', '{"prompt": 1, "chosen": "a", "rejected": "b"}']
)
def test_a_line_that_is_no_pair_is_named(tmp_path, line):
    file = tmp_path / "broken.jsonl"
    write_preferences(file, [Preference(prompt="a", chosen="b", rejected="c")])
    with file.open("a") as opened:
        opened.write(line + "\n")
    with pytest.raises(ValueError, match="line 2 is no preference pair"):
        read_preferences(file)
