"""An evaluation goes on where it stopped, may be split, keeps no picture, counts nothing it could not read."""

import json
import os
import signal
import subprocess
import sys
import tracemalloc

import pytest
from PIL import Image

from paths import REPOSITORY
from suite_files import coloured, write_cvtg, write_longtext
from toy_evaluation import SUITE, Colour, described, draw, report, run, texts
from zimage_core.atomic_file import write_text
from zimage_core.evaluation.case import Reading
from zimage_core.evaluation.journal import read_journal
from zimage_core.evaluation.page import worse_than_best
from zimage_core.evaluation.report_files import read_report, to_json
from zimage_core.evaluation.run import Shard, enter
from zimage_core.evaluation.runner import evaluate
from zimage_core.evaluation.suites import SUITES
from zimage_core.evaluation.told import told
from zimage_core.scoring.score import Measurement


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The report of a run without an interruption: 40 prompts."""
    return texts(run(tmp_path_factory.mktemp("whole"), n=5))


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL here")
@pytest.mark.parametrize("nth", [1, 8, 23])
def test_a_killed_run_goes_on_and_ends_with_the_same_report(tmp_path, whole, nth):
    program = REPOSITORY / "tests/helpers/toy_evaluation.py"
    paths = os.pathsep.join((str(REPOSITORY), str(REPOSITORY / "tests/helpers")))
    command = [sys.executable, str(program), str(tmp_path), str(nth)]
    died = subprocess.run(command, env={**os.environ, "PYTHONPATH": paths}, check=False)
    assert died.returncode == -signal.SIGKILL
    assert texts(run(tmp_path, n=5)) == whole


def test_a_line_that_was_cut_off_is_measured_again(tmp_path, whole):
    run(tmp_path, n=5, stop=9)
    (file,) = (tmp_path / "out/measurements").iterdir()
    file.write_bytes(file.read_bytes()[:-17])
    assert texts(run(tmp_path, n=5)) == whole


def test_where_no_prompt_is_worse_than_another_it_is_said_and_else_the_best_is_not_among_the_worse(tmp_path):
    class Same(Colour):
        def __call__(self, pictures, requests):
            return [Measurement(value=1.0) for _ in pictures]

    alike = run(tmp_path / "alike", n=1, score=Same())
    assert told(alike)[-1] == "No prompt is worse than another: all 8 have 1." and worse_than_best(alike) == []
    made = run(tmp_path / "different", n=1)
    values = [shown.values["redness (toy 1)"] for result in worse_than_best(made) for shown in result.pictures]
    best = made.figures[0].pictures - len(values)
    assert values == sorted(values) and best >= 1 and "worse" not in told(made)[-1]


def test_nothing_is_drawn_or_measured_twice(tmp_path):
    run(tmp_path, n=5, stop=9)
    score, drawn = Colour(), []
    run(tmp_path, n=5, score=score, draw=lambda prompt, seed: drawn.append(seed) or coloured(seed))
    assert drawn == list(range(9, 40)) and score.asked == 31
    again = Colour()
    run(tmp_path, n=5, score=again, draw=None)
    assert again.asked == 1  # the one that could not be read


def test_parts_run_anywhere_and_join_to_the_same_report(tmp_path, whole):
    for index in (3, 1):
        run(tmp_path, n=5, shard=Shard(index=index, count=3))
    elsewhere = tmp_path / "elsewhere"
    run(elsewhere, n=5, shard=Shard(index=2, count=3))
    for each in ("out/measurements/2-of-3.jsonl", "pictures"):
        for file in [elsewhere / each] if each.endswith("jsonl") else (elsewhere / each).rglob("*.png"):
            target = tmp_path / file.relative_to(elsewhere)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(file.read_bytes())
    untouched = Colour()
    assert texts(run(tmp_path, n=5, draw=None, score=untouched)) == whole
    assert untouched.asked == 1  # the one that could not be read


def test_memory_does_not_grow_with_the_number_of_pictures(tmp_path):
    class Size(Colour):
        def __call__(self, pictures, requests):
            return [Measurement(value=float(picture.width)) for picture in pictures]

    big = Image.new("RGB", (400, 400), "red")  # half a megabyte

    def peak(n):
        tracemalloc.start()
        run(tmp_path / str(n), n=n, score=Size(), draw=lambda prompt, seed: big.copy())
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    assert peak(6) - peak(2) < 32 * 8000  # 32 prompts more: their measurements, not their pictures


def test_what_is_not_there_or_cannot_be_read_is_told_and_never_counts_as_zero(tmp_path):
    full = run(tmp_path, n=5)
    first = full.figures[0]
    gone, broken = tmp_path / "pictures/CVTG/2/0.png", tmp_path / "pictures/CVTG/3/1.png"
    gone.unlink(), broken.write_bytes(broken.read_bytes()[:40])
    coloured(3).save(tmp_path / "pictures/CVTG/2/99.png")
    after = run(tmp_path, n=5, draw=None)
    assert (after.figures[0].pictures, after.figures[0].unread) == (first.pictures - 2, first.unread + 2)
    assert after.figures[0].value == pytest.approx(
        sum(seed * 7 % 256 for seed in range(40) if seed not in (0, 6) and seed * 7 % 256 <= 250)
        / 255
        / after.figures[0].pictures,
        abs=1e-5,
    )
    assert "CVTG/2/0: 0 of 1 pictures are there" in after.problems
    assert any(each.startswith("CVTG/3/1: CVTG/3/1.png cannot be read as a picture") for each in after.problems)
    assert any("belong to no prompt, among them CVTG/2/99.png" in each for each in after.problems)
    assert any("too red" in each for each in after.problems)
    coloured(0).save(gone), coloured(6).save(broken)
    (tmp_path / "pictures/CVTG/2/99.png").unlink()
    assert to_json(run(tmp_path, n=5, draw=None)) == to_json(full)


def test_another_picture_under_the_same_name_is_measured_again(tmp_path):
    before = run(tmp_path, n=1)
    Image.new("RGB", (16, 16), (200, 0, 9)).save(tmp_path / "pictures/CVTG/2/0.png")
    after = run(tmp_path, n=1)
    name = after.run.columns[0].title
    assert after.results[0].pictures[0].values[name] == pytest.approx(200 / 255, abs=1e-6)
    assert after.results[1:] == before.results[1:]


def test_a_folder_of_another_evaluation_is_refused(tmp_path):
    run(tmp_path, n=1)
    cases = SUITE.read(write_cvtg(tmp_path / "other", 2), Reading())
    with pytest.raises(
        ValueError, match="holds another evaluation, whose prompts is 8 and not 16: choose another --out"
    ):
        enter(tmp_path / "out", described(cases, [Colour()]))


def test_a_number_that_is_none_is_a_problem(tmp_path):
    class Broken(Colour):
        def __call__(self, pictures, requests):
            return [Measurement(value=float("nan"), parts={"a": float("inf"), "b": 1.0}) for _ in pictures]

    made = run(tmp_path, n=1, score=Broken())
    assert made.figures[0].value is None and made.figures[0].unread == 8
    assert "which is no number" in made.problems[0]
    json.loads(to_json(made), parse_constant=lambda constant: pytest.fail(constant))


def test_a_written_report_reads_back_as_itself_and_other_files_are_refused(tmp_path):
    made = run(tmp_path, n=1)
    write_text(tmp_path / "report.json", to_json(made))
    assert to_json(read_report(tmp_path / "report.json")) == to_json(made)
    (tmp_path / "x.json").write_text("[]")
    with pytest.raises(ValueError, match="is no report of an evaluation"):
        read_report(tmp_path / "x.json")


def test_the_order_of_prompts_changes_no_picture_and_no_number(tmp_path):
    made = run(tmp_path / "a", n=3)
    for index in (4, 2, 3, 1):
        run(tmp_path / "b", n=3, shard=Shard(index=index, count=4), draw=draw)
    cases = SUITE.read(write_cvtg(tmp_path / "b/prompts", 3), Reading())
    assert to_json(report(tmp_path / "b", cases, [Colour()])) == to_json(made)


class Spread(Colour):
    """How far a picture's red is from the mean of its prompt's."""

    least_pictures = 2

    def __call__(self, pictures, requests):
        self.asked += len(pictures)
        reds = {}
        for picture, request in zip(pictures, requests, strict=True):
            reds.setdefault(id(request), []).append(picture.getpixel((0, 0))[0])
        means = {key: sum(each) / len(each) for key, each in reds.items()}
        return [
            Measurement(value=abs(picture.getpixel((0, 0))[0] - means[id(request)]))
            for picture, request in zip(pictures, requests, strict=True)
        ]


def test_a_score_of_whole_prompts_is_given_all_of_them_again(tmp_path):
    suite, out, pictures = SUITES["longtext"], tmp_path / "out", tmp_path / "pictures"
    cases = suite.read(write_longtext(tmp_path), Reading())

    def values(score):
        list(evaluate(cases, [score], pictures=pictures, out=out, draw=draw))
        return {key[1]: entry.value for key, entry in read_journal(out).items()}

    first = values(Spread())
    (file,) = (out / "measurements").iterdir()
    file.write_text("".join(file.read_text("utf-8").splitlines(keepends=True)[:2]), "utf-8")  # killed within a prompt
    again = Spread()
    assert values(again) == first and again.asked == 4
    coloured(200).save(pictures / "0000_2.png")
    changed = Spread()
    assert all(value != first[number] for number, value in values(changed).items()) and changed.asked == 4
    assert values(none := Spread()) == values(Spread()) and none.asked == 0
