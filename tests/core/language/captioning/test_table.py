"""Captions in a table: what a person says stays, also while a job writes, and in the text files beside pictures."""

import os
import time
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from PIL import Image

from zimage_core.language.back_end import Text
from zimage_core.language.captioning import (
    Job,
    Refused,
    Table,
    Wish,
    Writer,
    caption_folder,
    read_instructions,
    read_records,
)
from zimage_core.nano.data.example_sets import write_edited

READ_TEXT = Path.read_text
FIRST, SECOND = ("01.png", ""), ("02.png", "")


@dataclass
class Speaker:
    """Answers with a number that grows; `meanwhile` is done while it looks at a picture."""

    name: str = "speaker"
    reads_instructions: bool = False
    sees: bool = True
    asked: int = 0
    meanwhile: object = None

    def write(self, question):
        self.asked += 1
        if callable(self.meanwhile):
            self.meanwhile(self.asked)
        yield Text("answer", f"{question.prompt} {self.asked} by seed {question.seed}")


def job_in(folder, speaker, kind="medium", **changes):
    writer = Writer(wish=Wish(kind=kind), back_end=speaker, instructions=read_instructions(kind, "en"))
    job = Job(folder=folder, out=folder / f"{kind}.jsonl", writer=writer, writes_text_files=True)
    return replace(job, **changes)


def table_of(job):
    return Table(
        folder=job.folder,
        out=job.out,
        kind=job.writer.wish.kind,
        language="en",
        writes_text_files=job.writes_text_files,
    )


def run(job):
    return {progress.record.key: progress.record for progress in caption_folder(job)}


@pytest.fixture
def folder(tmp_path):
    for number in range(1, 5):
        Image.new("RGB", (8, 8), (number, 0, 0)).save(tmp_path / f"{number:02}.png")
    return tmp_path


def test_pictures_that_are_left_out_are_not_in_the_table(folder):
    job = job_in(folder, Speaker(), only=frozenset({"01.png", "03.png"}))
    run(job)
    assert [row.state for row in table_of(job).rows()] == ["written", "waiting", "written", "waiting"]
    shown = replace(table_of(job), only=job.only).rows()
    assert [(row.task.picture.name, row.state) for row in shown] == [("01.png", "written"), ("03.png", "written")]


def test_what_is_said_in_the_table_stays_and_one_caption_alone_is_asked_anew(folder):
    speaker = Speaker()
    job = job_in(folder, speaker)
    first = run(job)
    table = table_of(job)
    assert [row.state for row in table.rows()] == ["written"] * 4
    table.edit(FIRST, " my words ", "")
    table.approve(SECOND, True, "")
    table.redo(("03.png", ""), "")
    assert (folder / "01.txt").read_text() == "my words"
    assert [row.state for row in table.rows()] == ["approved", "approved", "waiting", "written"]
    second = run(replace(job, writer=replace(job.writer, wish=Wish(kind="medium", seed=9))))
    assert second[FIRST].text == "my words" and second[SECOND].text == first[SECOND].text
    assert second["03.png", ""].text == "medium 5 by seed 10" == (folder / "03.txt").read_text()
    assert second["04.png", ""].text == "medium 6 by seed 9"
    assert read_records(job.out) == second


def test_an_edit_made_while_the_model_is_at_that_picture_wins(folder):
    speaker = Speaker()
    job = job_in(folder, speaker)
    table = table_of(job)
    acts = {2: lambda: table.edit(SECOND, "mine", ""), 3: lambda: table.edit(FIRST, "mine, too", "")}
    speaker.meanwhile = lambda asked: acts.get(asked, lambda: None)()
    run(job)
    texts = [row.record.text for row in table.rows()]
    assert texts == ["mine, too", "mine", "medium 3 by seed 0", "medium 4 by seed 0"]
    assert [(folder / f"0{number}.txt").read_text() for number in (1, 2, 3, 4)] == texts


def test_another_kind_takes_the_place_of_a_models_text_and_of_no_persons(folder):
    medium = job_in(folder, Speaker())
    run(medium)
    table_of(medium).edit(FIRST, "mine", "")
    (folder / "02.txt").write_text("by hand")
    told = run(job_in(folder, Speaker(), "short", earlier=(medium.out,)))
    assert [record.by for record in told.values()] == ["person", "person", "model", "model"]
    assert (folder / "01.txt").read_text() == "mine" and (folder / "02.txt").read_text() == "by hand"
    assert (folder / "03.txt").read_text() == told["03.png", ""].text == "short 1 by seed 0"


def test_a_text_written_by_hand_is_what_the_table_shows_approves_and_asks_anew(folder):
    job = job_in(folder, Speaker())
    run(job)
    table = table_of(job)
    for name in ("01", "02"):
        (folder / f"{name}.txt").write_text(f"by hand {name}")
    assert [row.record.text for row in table.rows()][:2] == ["by hand 01", "by hand 02"]
    table.approve(FIRST, True, "by hand 01")
    table.redo(SECOND, "by hand 02")
    told = run(job)
    assert (told[FIRST].text, told[FIRST].by) == ("by hand 01", "person")
    assert told[SECOND].text == (folder / "02.txt").read_text() == "medium 5 by seed 1"


def test_differences_of_three_versions_are_six_rows_each_with_a_file_of_its_own(tmp_path):
    write_edited(tmp_path)
    job = job_in(tmp_path, Speaker(), "difference")
    run(job)
    rows = table_of(job).rows()
    assert len(rows) == 4 * 6 and len(list(tmp_path.glob("*.to.*.txt"))) == 24
    table_of(job).edit(rows[3].task.key, "make it blue", "")
    assert table_of(job).rows()[3].record.text == "make it blue"


def test_two_pictures_of_one_name_are_refused_where_they_would_share_a_text_file(folder):
    (folder / "02.png").rename(folder / "01.webp")
    job = job_in(folder, Speaker())
    with pytest.raises(ValueError, match="01.png and 01.webp would share the text file 01.txt; rename one of them"):
        run(job)
    assert [record.text for record in run(replace(job, writes_text_files=False)).values()][1] == "medium 2 by seed 0"


def test_what_is_no_picture_of_the_folder_is_refused(folder):
    job = job_in(folder, Speaker())
    with pytest.raises(ValueError, match="queue the node first"):
        table_of(job).edit(FIRST, "words", "")
    run(job)
    for key in (("../01.png", ""), ("none.png", ""), ("01.png", "02.png")):
        with pytest.raises(ValueError, match="there is no picture"):
            table_of(job).edit(key, "words", "")
    with pytest.raises(ValueError, match="an empty caption"):
        table_of(job).edit(FIRST, "  ", "")
    run(job_in(folder, Speaker(), "short"))
    with pytest.raises(ValueError, match="captions of another kind"):
        replace(table_of(job), out=folder / "short.jsonl").rows()


def test_two_pictures_of_one_text_file_are_named_in_the_table_and_nothing_is_done_to_them(folder):
    job = job_in(folder, Speaker())
    run(job)
    table_of(job).edit(FIRST, "words of the PNG", "")
    Image.new("RGB", (8, 8)).save(folder / "01.jpg")
    table = table_of(job)
    rows = [row for row in table.rows() if row.state == "failed"]
    assert [(row.task.picture.name, row.record.by) for row in rows] == [("01.jpg", "model"), ("01.png", "person")]
    assert {row.record.problem for row in rows} == {
        "01.jpg and 01.png would share the text file 01.txt; rename one of them"
    }
    for change in (lambda: table.edit(("01.jpg", ""), "x", ""), lambda: table.redo(FIRST, "words of the PNG")):
        with pytest.raises(Refused, match="would share the text file 01.txt"):
            change()
    assert (folder / "01.txt").read_text() == "words of the PNG"


def test_words_that_a_person_wrote_elsewhere_meanwhile_are_replaced_by_no_change_that_did_not_see_them(folder):
    job = job_in(folder, Speaker())
    table, shown = table_of(job), run(job)[FIRST].text
    (folder / "01.txt").write_text("from outside")
    for change in (lambda: table.edit(FIRST, "x", shown), lambda: table.redo(FIRST, shown)):
        with pytest.raises(Refused, match='other words were written there meanwhile: "from outside"'):
            change()
    assert (folder / "01.txt").read_text() == "from outside" == table.rows()[0].record.text
    table.edit(FIRST, "seen and replaced", "from outside")
    assert (folder / "01.txt").read_text() == "seen and replaced"


def test_a_text_file_that_is_not_utf8_is_a_problem_and_stays_byte_for_byte(folder):
    job, latin = job_in(folder, Speaker()), "caf\u00e9".encode("latin1")
    (folder / "01.txt").write_bytes(latin)
    table, problem = table_of(job), "01.txt is not UTF-8; convert it, or take it away"
    for _ in range(2):
        assert run(job)[FIRST].problem == problem == table.rows()[0].record.problem
    with pytest.raises(Refused, match="is not UTF-8"):
        table.edit(FIRST, "x", "")
    assert (folder / "01.txt").read_bytes() == latin
    (folder / "01.txt").write_text("caf\u00e9", "utf-8")
    assert run(job)[FIRST].text == "caf\u00e9" and [row.state for row in table.rows()][0] == "approved"


def test_an_empty_text_file_is_not_written_and_the_next_run_writes_it(folder):
    job = job_in(folder, Speaker())
    (folder / "01.txt").write_text(" \n")
    table = table_of(job)
    assert [row.state for row in table.rows()] == ["waiting"] * 4
    first = run(job)
    assert [row.state for row in table.rows()] == ["written"] * 4
    assert (folder / "01.txt").read_text() == first[FIRST].text
    (folder / "01.txt").write_text("")
    assert run(job) == first and (folder / "01.txt").read_text() == first[FIRST].text


def test_texts_beside_pictures_are_the_persons_before_the_first_run_and_names_are_in_natural_order(folder):
    (folder / "01.txt").write_text("by hand")
    (folder / "02.png").rename(folder / "010.png")
    rows = table_of(job_in(folder, Speaker())).rows()
    assert [(row.record.text, row.record.by, row.state) for row in rows][:1] == [("by hand", "person", "approved")]
    assert [row.task.picture.name for row in rows] == ["01.png", "03.png", "04.png", "010.png"]
    assert [row.state for row in rows][1:] == ["waiting"] * 3


def test_a_text_beside_a_picture_is_read_once_and_again_when_it_has_changed(folder, monkeypatch):
    file, old, read = folder / "01.txt", 1_700_000_000, []
    table = table_of(job_in(folder, Speaker()))
    monkeypatch.setattr(Path, "read_text", lambda self, *args: read.append(self.name) or READ_TEXT(self, *args))

    def written(text, at):
        file.write_text(text)
        os.utime(file, (at, at))
        return table.rows()[0].record.text

    assert written("my words", old) == table.rows()[0].record.text == "my words" and read.count("01.txt") == 1
    assert written("my wards", old + 1) == "my wards"  # as long as before
    now = time.time()
    assert [written(text, now) for text in ("my woods", "my winds")] == ["my woods", "my winds"]  # within one time
    file.unlink()
    (folder / "00.png").write_bytes((folder / "01.png").read_bytes())
    assert [row.task.picture.name for row in table.rows()][:2] == ["00.png", "01.png"]
    assert table.rows()[1].record.text == ""
