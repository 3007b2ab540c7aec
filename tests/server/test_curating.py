"""Pictures of nano's on the real server, captioned, searched by words and by a picture, and mapped."""

import shutil

import pytest

from prompt_graphs import node
from zimage_core.nano.data.render import render
from zimage_core.nano.data.scenes import training_scenes

SCENES = training_scenes()[::397]
CAPTIONED = {"kind": "short", "language": "English", "captioner": "nano (built in)", "seed": 0, "targets": "none"}
SEARCHED = {"folder": "none", "most": 3, "encoder": "captions and looks (built in)"}


@pytest.fixture
def folder(server):
    """Renders in a folder of ComfyUI's input folder."""
    place = server.base / "input" / "renders"
    place.mkdir(parents=True)
    for number, scene in enumerate(SCENES):
        render(scene, number).save(place / f"{number}.png")
    yield place
    shutil.rmtree(place)


@pytest.mark.slow
def test_words_find_what_captions_say_and_the_best_picture_finds_itself(server, run, folder):
    colour, shape = SCENES[3].colour, SCENES[3].shape
    graph = {
        "told": node("ZImageCaptionFolder", folder=folder.name, text_files=True, **CAPTIONED),
        "words": node("ZImageSearchPictures", pictures=["told", 2], words=f"{colour} {shape}", **SEARCHED),
        "map": node(
            "ZImageConceptMap", pictures=["told", 2], folder="none", wanted=shape, least_uses=2, knowledge="none"
        ),
        "like": node("ZImageSearchPictures", pictures=["told", 2], words="", image=["words", 3], **SEARCHED),
    }
    shown = {}
    outcome = run(
        graph, lambda kind, data: shown.update({data["node"]: data["output"]}) if kind == "executed" else None
    )
    assert outcome.error is None
    hits = {each: [hit["name"] for hit in shown[each]["zimage_search"][0]["hits"]] for each in ("words", "like")}
    first = SCENES[int(hits["words"][0].partition(".")[0])]
    assert (first.colour, first.shape) == (colour, shape)
    assert hits["like"][0] == hits["words"][0]
    [mapped] = shown["map"]["zimage_concepts"]
    counts = {row["en"]: row["count"] for table in mapped["tables"] for row in table["rows"]}
    assert counts[shape] == sum(scene.shape == shape for scene in SCENES)
    assert ", by BM25 over captions." in shown["words"]["text"][0]
