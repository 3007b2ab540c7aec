"""What is told at a job's end: counts that add up, and equal problems in one line."""

import json

from PIL import Image

from zimage_core.cli import main
from zimage_core.language.captioning import Outcome, Progress, Record
from zimage_core.nano.data.render import render
from zimage_core.nano.data.scenes import every_scene


def progress(name, problem="", by="model", is_new=True):
    record = Record(picture=name, kind="medium", language="en", text="words", problem=problem, by=by)
    return Progress(done=1, total=1, record=record, is_new=is_new)


def test_captions_there_new_and_with_a_problem_are_counted_apart_and_equal_problems_are_one_line():
    outcome = Outcome()
    for each in (progress("a"), progress("b", is_new=False), progress("c", by="person")):
        outcome.add(each)
    assert str(outcome) == "3 of 3 captions are there, 1 of them new." and outcome.problems == []
    for number in range(18):
        outcome.add(progress(f"{number}.png", problem=f"no {max(0, number - 9)}"))
    assert str(outcome) == "3 of 21 captions are there, 1 of them new; 18 with a problem."
    lines = outcome.problems
    assert lines[:2] == ["Problem with 0.png and 9 more: no 0", "Problem with 10.png: no 1"]
    assert lines[5:] == ["and 4 more with a problem"]


def test_the_command_counts_what_is_written_and_what_failed_and_exits_with_1_where_all_failed(tmp_path, capsys):
    out = tmp_path / "captions.jsonl"
    command = ["caption", str(tmp_path), "--type", "medium", "--with", "nano", "--out", str(out), "--json"]
    for name in ("p1.png", "p2.png", "p10.png"):
        Image.effect_noise((64, 64), 90).convert("RGB").save(tmp_path / name)
    assert main(command) == 1 and "p1.png" in capsys.readouterr().err
    render(next(iter(every_scene())), 0).save(tmp_path / "p3.png")
    assert main(command) == 0
    told = capsys.readouterr()
    counts = {"pictures": 4, "captions": 1, "written": 1, "problems": 3}
    assert json.loads(told.out.splitlines()[-1]) == {"file": str(out), **counts}
    assert "Problem with p1.png and 2 more: this picture is none of nano's" in told.err
