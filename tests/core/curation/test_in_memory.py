"""A folder in memory: the planted mess is found, thresholds are those of the stage, conditions say what they mean."""

from dataclasses import asdict
from pathlib import Path

import pytest
from PIL import Image

from zimage_core.cli import main
from zimage_core.curation.in_memory import (
    condition_of,
    conditions_in,
    copies_among,
    left_out,
    pictures_of,
    profile_of,
    profile_page,
    row_of_picture,
    seen,
)
from zimage_core.nano.data.example_sets import MESS, N_MESSY, write_messy
from zimage_core.nano.data.render import render
from zimage_core.nano.data.scenes import training_scenes


@pytest.fixture(scope="module")
def messy(tmp_path_factory):
    folder = tmp_path_factory.mktemp("messy") / "pictures"
    write_messy(folder)
    return folder


@pytest.fixture(scope="module")
def profile(messy):
    return profile_of(map(row_of_picture, pictures_of(messy)))


def names(rows):
    return sorted(Path(row["path"]).name for row in rows)


def test_what_cannot_be_read_and_the_covered_lens_are_found(profile):
    assert len(profile.rows) == N_MESSY + len(MESS)
    assert names(row for row in profile.rows if row["problem"]) == ["empty.png", "unfinished download.png"]
    [dark] = [condition_of(each) for each in profile.proposals if each.column == "brightness"]
    assert names(row for row in profile.rows if dark.holds(row)) == ["lens cap.png"]


def test_copies_of_every_kind_are_found_and_nothing_else(messy):
    found = copies_among([each for each in map(seen, pictures_of(messy)) if each], 16.0)
    dropped = {Path(each.path).name: (Path(each.keeper).name, each.kind) for each in found if each.kind != "kept"}
    planted = {MESS[number][0]: f"{number:02}.png" for number in (2, 5, 8, 11)}
    assert {name: keeper for name, (keeper, _) in dropped.items()} == planted
    assert [name for name, (_, kind) in dropped.items() if kind == "exact"] == ["02 copy.png"]


def test_an_original_is_kept_rather_than_the_same_picture_enlarged(tmp_path):
    for number, scene in enumerate(training_scenes()[:900:300]):
        picture = render(scene, number, (128, 128))
        picture.save(tmp_path / f"{number} the original.png")
        picture.resize((256, 256), Image.Resampling.BICUBIC).save(tmp_path / f"{number} large.png")
    found = copies_among([each for each in map(seen, pictures_of(tmp_path)) if each], 16.0)
    kept = {Path(each.path).name: Path(each.keeper).name for each in found}
    assert all(kept[f"{number} large.png"] == f"{number} the original.png" for number in range(3))


def test_proposals_and_page_tell_what_the_stage_tells(messy, profile, tmp_path):
    pyarrow = pytest.importorskip("pyarrow.parquet")
    pytest.importorskip("daft")
    out = tmp_path / "profile.parquet"
    assert main(["data", "profile", str(messy), "--out", str(out)]) == 0
    metadata = pyarrow.read_schema(out).metadata[b"zimage"].decode()
    assert all(f'"limit": {each["limit"]}' in metadata for each in map(asdict, profile.proposals))
    assert profile_page(profile, str(messy)) == out.with_suffix(".html").read_text("utf-8")


def test_a_condition_is_one_measure_on_one_side_of_a_number():
    conditions = conditions_in("sharpness < 20\n\n  width>5e2 ")
    assert list(map(str, conditions)) == ["sharpness < 20", "width > 500"]
    kept = {"problem": "", "sharpness": 20.0, "width": 500}
    assert left_out(kept, conditions) == "" == left_out({**kept, "sharpness": None}, conditions)
    assert left_out({**kept, "width": 501}, conditions) == "width > 500"
    assert left_out({"problem": "empty: the file has no bytes"}, ()) == "empty: the file has no bytes"
    for text in ("sharpness", "sharpness = 2", "sharpness < 1.2.3", "beauty < 2", "path < 3"):
        with pytest.raises(ValueError, match=r"no condition|no measure"):
            conditions_in(text)
