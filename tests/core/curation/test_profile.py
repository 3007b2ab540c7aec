"""`zimage data profile` on a folder with every kind of damage."""

import json
import os

import pyarrow.parquet
import pytest
from PIL import Image

from bench.damaged_files import bomb
from zimage_core.cli import main
from zimage_core.nano.data.render import render
from zimage_core.nano.data.scenes import training_scenes


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Good pictures of every mode, and one file of each kind of damage."""
    folder = tmp_path_factory.mktemp("messy") / "pictures"
    (folder / "sub folder").mkdir(parents=True)
    scenes = training_scenes()[:200:10]
    for number, scene in enumerate(scenes):
        render(scene, number).resize((96, 64)).save(folder / "sub folder" / f"{number:02d}.png")
    one = render(scenes[0], 0).resize((96, 64))
    exif = Image.Exif()
    exif[0x0112], exif[0x0132] = 6, "2020:01:02 03:04:05"
    one.save(folder / "turned.jpg", exif=exif)
    one.convert("CMYK").save(folder / "cmyk.jpg")
    one.convert("I;16").save(folder / "deep.png")
    one.save(folder / "moves.gif", save_all=True, append_images=[one.rotate(90)])
    one.convert("RGBA").save(folder / "图 ünï кот.png")
    one.save(folder / "really a png.jpg", "PNG")
    content = (folder / "turned.jpg").read_bytes()
    (folder / "cut.jpg").write_bytes(content[: len(content) // 2])
    (folder / "empty.png").touch()
    (folder / "text.png").write_text("no picture at all")
    (folder / "bomb.png").write_bytes(bomb(50_000, 50_000))
    (folder / "large.png").write_bytes(bomb(11_000, 11_000))
    (folder / "notes.txt").write_text("not named as a picture")
    (folder / ".hidden.png").touch()
    (folder / "loop.png").symlink_to("loop.png")
    (folder / "nowhere.png").symlink_to("gone.png")
    (folder / "sub folder" / "back").symlink_to(folder)
    os.mkfifo(folder / "pipe.png")
    return folder


def digests(folder):
    return {str(each): each.read_bytes() for each in folder.rglob("*") if each.is_file()}


def test_every_picture_is_measured_and_every_damage_has_its_reason(folder, tmp_path, capsys):
    out, before = tmp_path / "X.parquet", digests(folder)
    assert main(["data", "profile", str(folder), "--out", str(out), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["problems"] == {"empty": 1, "no picture": 1, "too many pixels": 2, "truncated": 1, "unreadable": 3}
    assert told["pictures"] == 34 and told["new"]
    table = pyarrow.parquet.read_table(out)
    rows = {row["path"].removeprefix(f"{folder}{os.sep}"): row for row in table.to_pylist()}
    assert len(rows) == 34 and not {"notes.txt", ".hidden.png"} & set(rows)
    assert "11000x11000" in rows["large.png"]["problem"]
    turned = rows["turned.jpg"]
    assert (turned["orientation"], turned["width"], turned["height"], turned["date"]) == (6, 64, 96, "")
    assert (rows["cmyk.jpg"]["mode"], rows["deep.png"]["bits"], rows["moves.gif"]["frames"]) == ("CMYK", 16, 2)
    assert [name for name, row in rows.items() if row["right_ending"] is False] == ["really a png.jpg"]
    assert rows["图 ünï кот.png"]["entropy"] == rows[f"sub folder{os.sep}00.png"]["entropy"]
    assert table.schema.field("sharpness").metadata[b"source"] == b"zimage_core.scoring.statistics 1"
    assert digests(folder) == before
    assert sorted(each.name for each in tmp_path.iterdir()) == ["X.html", "X.parquet"]
    page = (tmp_path / "X.html").read_text()
    assert "11000x11000" in page and "Named as another format: 1 picture" in page and "nothing was applied" in page

    before = out.stat().st_mtime_ns
    assert main(["data", "profile", str(folder), "--out", str(out)]) == 0
    assert out.stat().st_mtime_ns == before and "34 pictures; not read: 1 empty" in capsys.readouterr().out


def test_dates_are_kept_only_where_that_was_asked_for(folder, tmp_path, capsys):
    out = tmp_path / "X.parquet"
    assert main(["data", "profile", str(folder), "--out", str(out), "--keep-dates"]) == 0
    dates = pyarrow.parquet.read_table(out, columns=["date"])["date"].to_pylist()
    assert "2020:01:02 03:04:05" in dates


@pytest.mark.parametrize("name", ["nothing", "empty"])
def test_a_folder_without_pictures_is_refused_in_a_sentence(tmp_path, capsys, name):
    (tmp_path / "empty").mkdir()
    assert main(["data", "profile", str(tmp_path / name), "--out", str(tmp_path / "X.parquet")]) == 1
    assert "pictures" in capsys.readouterr().err
    assert sorted(each.name for each in tmp_path.iterdir()) == ["empty"]
