"""Z-Image Caption Folder on the real server: a folder told, edited by the page's routes, and safe from them."""

import shutil

import pytest

from prompt_graphs import node
from zimage_core.language.captioning import read_records
from zimage_core.nano.data.caption_reading import stated
from zimage_core.nano.data.render import render
from zimage_core.nano.data.scenes import every_scene

SCENES = list(every_scene())[::900]
PLACE = {"kind": "medium", "language": "English", "targets": "none", "text_files": True}


@pytest.fixture
def folder(server):
    """A folder with pictures in ComfyUI's input folder."""
    place = server.base / "input" / "to be captioned"
    place.mkdir(parents=True)
    for number, scene in enumerate(SCENES):
        render(scene, number).save(place / f"{number}.png")
    yield place
    shutil.rmtree(place)


@pytest.mark.slow
def test_a_folder_is_told_once_and_the_pages_edits_outlast_another_run(server, run, folder):
    def told(**widgets):
        settings = {"folder": folder.name, **PLACE, "captioner": "nano (built in)", "seed": 0}
        shown = []
        outcome = run(
            {"told": node("ZImageCaptionFolder", **{**settings, **widgets})},
            lambda kind, data: shown.extend(data["output"]["text"]) if kind == "executed" else None,
        )
        return outcome.error["exception_message"] if outcome.error else shown[0]

    def ask(path, **query):
        page = {"folder": folder.name, **PLACE, "shown": "all", "first": 0, "count": 4, "before": ""}
        return server.post(f"/zimage/captions{path}", {**page, **query})

    count = len(SCENES)
    assert ask("")[1]["is_begun"] is False and list(folder.glob("*.jsonl")) == []
    assert told() == f"{count} of {count} captions are there, {count} of them new."
    texts = [(folder / f"{number}.txt").read_text() for number in range(count)]
    assert [stated(text) for text in texts] == [vars(scene) for scene in SCENES]
    status, page = ask("", first=4)
    assert status == 200 and [row["text"] for row in page["rows"]] == texts[4:]
    assert (page["first"], page["matching"]) == (4, count) and page["rows"][0]["thumbnails"][0].startswith(
        "data:image/"
    )

    ask("/edit", picture="0.png", target="", text="my words")
    ask("/approve", picture="1.png", target="", approved=True)
    page = ask("/redo", picture="2.png", target="", shown="open")[1]
    assert [row["picture"] for row in page["rows"]] == ["2.png", "3.png", "4.png", "5.png"]
    assert told() == f"{count} of {count} captions are there, 1 of them new."
    assert told(seed=5).startswith(f"{count} of {count} captions are there, {count - 2} of them new")
    records = list(read_records(folder / "zimage_captions.medium.en.jsonl").values())
    assert [(record.seed, record.by) for record in records[:4]] == [
        (0, "person"),
        (0, "model"),
        (6, "model"),
        (5, "model"),
    ]
    assert (folder / "0.txt").read_text() == "my words" and (folder / "1.txt").read_text() == texts[1]

    assert ask("/edit", picture="../../outside.png", target="", text="x")[0] == 400
    for bad in ("../output", "/etc", "..", "to be captioned/../.."):
        assert ask("", folder=bad)[0] == 400
        assert ask("/edit", folder=bad, picture="0.png", target="", text="x")[0] == 400
    for odd in ({"first": float("inf")}, {"count": None}, {"shown": "x"}, {"kind": "poem"}, {"text_files": []}):
        assert ask("", **odd)[0] == 400
    assert "belong together" in told(kind="difference")
    assert "No folder is chosen to caption" in told(folder="none")


def test_captions_of_built_in_pictures_lie_where_no_start_empties(server, run):
    drawn = server.base / "user/zimage/captioned/edits_of_nano's_pictures"
    shutil.rmtree(drawn, ignore_errors=True)
    settings = {**PLACE, "folder": "edits of nano's pictures (built in)", "captioner": "nano (built in)", "seed": 0}
    assert run({"told": node("ZImageCaptionFolder", **settings)}).error is None
    assert len(read_records(drawn / "zimage_captions.medium.en.jsonl")) == len(list(drawn.glob("*.txt"))) == 12
    shutil.rmtree(drawn)
