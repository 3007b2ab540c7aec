"""A folder's captions: one line a picture, whatever happens; a person's words stay; a killed run ends the same."""

import json
import math
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from loopback import loopback, send
from PIL import Image

from paths import REPOSITORY
from zimage_core.chat_server import ChatServer
from zimage_core.cli import main
from zimage_core.language.captioning import Job, Wish, Writer, caption_folder, read_instructions, read_records
from zimage_core.language.captioning.pairs import groups_by_name, groups_of_folders, ordered_pairs
from zimage_core.language.captioning.picture_file import read_picture
from zimage_core.language.captioning.records import append_record, asked_anew, by_person
from zimage_core.language.remote import RemoteBackEnd
from zimage_core.nano.data.render import render
from zimage_core.nano.data.scenes import every_scene
from zimage_core.nano.scene_captioner import SceneCaptioner
from zimage_core.rgb_picture import as_rgb

SCENES = list(every_scene())[::431][:12]


@pytest.fixture
def folder(tmp_path):
    """Twelve of nano's pictures."""
    place = tmp_path / "pictures"
    place.mkdir()
    for number, scene in enumerate(SCENES):
        render(scene, number).save(place / f"{number:02}.png")
    return place


def job_in(folder, back_end=None, **changes):
    writer = Writer(
        wish=Wish(kind="medium"), back_end=back_end or SceneCaptioner(), instructions=read_instructions("medium", "en")
    )
    return replace(Job(folder=folder, out=folder.parent / "captions.jsonl", writer=writer), **changes)


def run(job):
    return [progress.record for progress in caption_folder(job)]


def caption(folder, *options):
    out = folder.parent / "captions.jsonl"
    return main(["caption", str(folder), "--type", "medium", "--with", "nano", "--out", str(out), *options])


def test_the_command_tells_every_scene_and_a_second_run_asks_nothing(folder, capsys):
    assert caption(folder) == 0
    records = read_records(folder.parent / "captions.jsonl")
    for scene, record in zip(SCENES, records.values(), strict=True):
        assert scene.shape in record.text and scene.colour in record.text and scene.size in record.text
        assert (record.back_end, record.template, record.seed, record.by) == (
            "nano's scenes",
            "medium.en 1",
            0,
            "model",
        )
    assert list(folder.glob("*.txt")) == []
    assert caption(folder, "--json") == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["written"] == 0


@pytest.mark.slow
def test_a_killed_run_goes_on_and_ends_with_the_same_file(folder, tmp_path):
    for number in range(12, 36):
        render(SCENES[number % 12], number).save(folder / f"{number:02}.png")
    out, whole = tmp_path / "captions.jsonl", tmp_path / "whole.jsonl"
    command = [
        sys.executable,
        "-m",
        "zimage_core",
        "caption",
        str(folder),
        "--type",
        "medium",
        "--with",
        "nano",
        "--out",
    ]
    run_it = subprocess.Popen([*command, str(out)], cwd=REPOSITORY, stderr=subprocess.DEVNULL)
    while not (out.exists() and out.stat().st_size > 2000):
        assert run_it.poll() is None
        time.sleep(0.01)
    run_it.kill()
    run_it.wait()
    killed = out.read_bytes()
    assert killed.count(b"\n") < 36
    out.write_bytes(killed + b'{"picture": "half a li')
    for file in (out, whole):
        list(caption_folder(replace(job_in(folder), out=file)))
    assert out.read_bytes() == whole.read_bytes()


def test_text_files_are_written_and_what_a_person_wrote_there_stays(folder):
    job = job_in(folder, writes_text_files=True)
    (folder / "03.txt").write_text("my own words\n")
    run(job)
    first = (folder / "00.txt").read_text()
    assert first == read_records(job.out)["00.png", ""].text and first
    (folder / "00.txt").write_text("edited by hand")
    other = replace(job, writer=replace(job.writer, wish=Wish(kind="medium", seed=5)))
    records = {record.picture: record for record in run(other)}
    assert (folder / "00.txt").read_text() == "edited by hand" and (folder / "03.txt").read_text() == "my own words\n"
    assert (records["00.png"].text, records["00.png"].by) == ("edited by hand", "person")
    assert (records["03.png"].text, records["03.png"].by) == ("my own words\n", "person")
    assert records["01.png"].seed == 5 and records["01.png"].by == "model"


def test_edits_in_the_records_stay_and_one_can_be_asked_anew(folder):
    job = job_in(folder, writes_text_files=True)
    first = run(job)
    append_record(job.out, by_person(first[1], "a poem"))
    append_record(job.out, asked_anew(first[2]))
    second = run(replace(job, writer=replace(job.writer, wish=Wish(kind="medium", seed=0))))
    assert second[1].text == (folder / "01.txt").read_text() == "a poem"
    assert second[2].seed == 1 and second[2].problem == "" and second[0] == first[0]
    assert run(job) == second


def test_pictures_of_every_kind_are_looked_at_and_a_broken_one_costs_its_own_line_only(tmp_path):
    scene = render(SCENES[0], 0)
    levels = np.asarray(scene.convert("L")).astype(np.uint16) * 257
    Image.fromarray(levels).save(tmp_path / "deep.png")
    scene.save(tmp_path / "moving.webp", save_all=True, append_images=[render(SCENES[1], 1)], lossless=True)
    scene.convert("P").save(tmp_path / "palette.gif")
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff no picture")
    (tmp_path / "folder.png").mkdir()
    records = {record.picture: record for record in run(job_in(tmp_path, out=tmp_path / "out.jsonl"))}
    assert "cannot be read as a picture" in records["broken.jpg"].problem
    assert records["folder.png"].problem == "folder.png is a folder, not a file; choose another picture"
    assert SCENES[0].shape in records["moving.webp"].text and "first frame" in records["moving.webp"].note
    grey = np.asarray(read_picture(tmp_path / "deep.png").picture)[..., 0]
    assert np.abs(grey.astype(int) - levels // 257).max() <= 1
    clear = Image.new("RGBA", (2, 2), (255, 0, 0, 0))
    assert as_rgb(clear).getpixel((0, 0)) == (255, 255, 255)


def test_a_folder_without_pictures_and_a_file_of_another_kind_are_refused(tmp_path, folder, capsys):
    empty = tmp_path / "empty"
    empty.mkdir()
    assert caption(empty) == 1 and "holds no picture" in capsys.readouterr().err
    assert caption(folder) == 0
    assert caption(folder, "--language", "zh") == 1
    assert "holds captions of another kind (medium in en)" in capsys.readouterr().err
    assert main(["caption", str(folder), "--type", "tags", "--with", "/none", "--out", str(tmp_path / "x.jsonl")]) == 1
    assert "neither nano, nor a folder, nor an address" in capsys.readouterr().err


def test_a_picture_that_is_none_of_nanos_gets_no_invented_caption(tmp_path, capsys):
    Image.effect_noise((64, 64), 90).convert("RGB").save(tmp_path / "noise.png")
    assert caption(tmp_path) == 1
    assert "none of nano's" in capsys.readouterr().err


def test_a_server_that_fails_again_and_again_ends_the_job_and_no_caption_is_lost(folder):
    fine = " ".join(["a fox in the snow beside a sign"] * 6)
    with loopback() as server:
        back_end = RemoteBackEnd(ChatServer(address=server.address, attempts=1))
        server.answers += [fine, lambda request: send(request, b"busy", 503), fine]
        server.answers += [lambda request: send(request, b"down", 500)] * 3
        job = job_in(folder, back_end)
        with pytest.raises(ValueError, match="3 pictures in a row failed; run again to go on there"):
            run(job)
        assert [bool(record.text) for record in read_records(job.out).values()] == [True, False, True, *[False] * 3]
        server.answers += [fine] * 12
        asked = len(server.bodies)
        assert all(record.text == fine for record in run(job))
        assert len(server.bodies) - asked == 10


@pytest.mark.parametrize("n", [2, 3, 5])
def test_n_edits_of_a_picture_make_all_ordered_pairs(n):
    files = [Path(f"cat_{number}.png") for number in range(n + 1)]
    pairs = ordered_pairs(groups_by_name([*files, Path("alone.png"), Path("dog_1.png")]))
    assert len(pairs) == len(set(pairs)) == 2 * math.comb(n + 1, 2)


def test_pictures_belong_together_by_their_names():
    names = ["cat.target.png", "cat.source.png", "a_10.png", "a_9.png", "b-before.jpg", "b-after.png"]
    groups = groups_by_name(map(Path, names))
    assert {name: [file.name for file in files] for name, files in groups.items()} == {
        "a": ["a_9.png", "a_10.png"],
        "b": ["b-before.jpg", "b-after.png"],
        "cat": ["cat.source.png", "cat.target.png"],
    }
    assert list(groups_of_folders([Path("x/1.png"), Path("x/2.png")], [Path("y/2.jpg")])) == ["2"]


def test_facts_beside_a_picture_are_told_and_change_the_caption(folder):
    with loopback() as server:
        server.answers += [" ".join(["a fox in the snow beside a sign"] * 6)] * 24
        job = job_in(folder, RemoteBackEnd(ChatServer(address=server.address)))
        run(job)
        (folder / "05.json").write_text('{"place": "Mount Fuji"}')
        run(job)
        assert len(server.bodies) == 13 and "place: Mount Fuji" in server.bodies[-1]["messages"][0]["content"]
