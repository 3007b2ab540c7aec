"""Z-Image Curate with a model that cannot draw purple, and one that has learned it; what is planted is found."""

import importlib
import json
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from zimage_core.curation.rounds import Concept, concepts_in, hits_of
from zimage_core.nano.data.caption_reading import stated
from zimage_core.nano.data.render import render
from zimage_core.nano.data.scenes import Scene

PLACE = {"size": "large", "row": "middle", "column": "middle", "ground": "white"}
KINDS = [f"{colour} {shape}" for colour in ("red", "purple", "blue") for shape in ("star", "heart")]
WIDGETS = {
    "score": "nano's scene",
    "reader": "automatic",
    "concepts": "\n".join(KINDS),
    "concepts_file": "none",
    "most_concepts": 12,
    "per_concept": 2,
    "worst": 6,
    "proposed": 6,
    "choices": "",
    "seed": 0,
    "steps": 2,
    "cfg": 1.0,
    "solver": "euler",
    "shift": 3.0,
    "filename_prefix": "curation",
}


def picture_of(said, number):
    return render(Scene(**(PLACE | stated(said))), number)


@pytest.fixture
def canvas(pack, monkeypatch, tmp_path):
    """The node's call with a model that draws what is said but for one colour, and a pool of three pictures a kind."""
    import folder_paths

    for name in ("input/pool", "input/learned", "output", "temp", "user"):
        (tmp_path / name).mkdir(parents=True)
    for name in ("input", "output", "temp", "user"):
        monkeypatch.setattr(folder_paths, f"get_{name}_directory", lambda name=name: str(tmp_path / name))
    for number in range(3 * len(KINDS)):
        kind = KINDS[number % len(KINDS)]
        where = tmp_path / "input" / ("learned" if number < len(KINDS) else "pool")
        picture_of(kind, number).save(where / f"{kind} {number}.png")
        (where / f"{kind} {number}.txt").write_text(f"a {kind} on white")
    root = pack.entry.__name__
    module = importlib.import_module(f"{root}.nodes.curate")
    calls = []

    def run(colour, graph, stops_at=0, **widgets):
        calls.clear()

        class Painter:
            told = "as told"

            def __init__(self, bar):
                self.bar = bar

            def __call__(self, prompt, seed):
                calls.append(prompt)
                if len(calls) == stops_at:
                    raise KeyboardInterrupt
                return picture_of(prompt.replace(colour, "green"), seed)

        monkeypatch.setattr(module.painter, "connected", lambda inputs, bar: Painter(bar))
        prompt = {"1": {"class_type": "Any", "inputs": {"name": graph}}, "2": {"inputs": {"model": ["1", 0]}}}
        monkeypatch.setattr(module.ZImageCurate, "hidden", SimpleNamespace(prompt=prompt, unique_id="2"))
        latent = {"samples": torch.zeros(1, 16, 8, 8)}
        inputs = {"folder": "learned", "candidates": "pool"} | WIDGETS | widgets
        return module.ZImageCurate.execute(model=None, clip=None, vae=None, latent=latent, **inputs), len(calls)

    return SimpleNamespace(run=run, place=tmp_path, datasets=importlib.import_module(f"{root}.nodes.datasets"))


def lines_of(file):
    return [json.loads(line) for line in Path(file).read_text("utf-8").splitlines()]


def test_what_the_model_draws_badly_gets_pictures_a_person_may_drop_and_the_next_round_tells_it_helped(canvas):
    before = {each: each.read_bytes() for each in sorted((canvas.place / "input").rglob("*.*"))}
    shown, calls = canvas.run("purple", "plain")
    manifest, report, folder = shown.result
    assert calls == 2 * len(KINDS)
    [wall] = shown.ui["zimage_curate"]
    assert {each["name"] for each in wall["concepts"] if each["proposed"]} == {"purple star", "purple heart"}
    assert set(wall["names"]) == {"purple star", "purple heart"} and all(len(group) == 2 for group in wall["groups"])
    assert all(tile["image"].startswith("data:image/webp") for group in wall["groups"] for tile in group)
    assert "Pictures proposed: 4; 4 stay, 0 are left out." in report
    assert len(lines_of(manifest)) == len(KINDS) + 4
    dropped = wall["groups"][0][0]["name"]
    shown, calls = canvas.run("purple", "plain", choices=f"drop {dropped}")
    assert calls == 0 and shown.result[0] == manifest and "4; 3 stay, 1 are left out." in shown.result[1]
    new = lines_of(manifest)[len(KINDS) :]
    assert dropped not in {Path(each["file_name"]).name for each in new} and len(new) == 3
    dataset, _ = canvas.datasets.ZImageDataset.execute(["none"], [""], [64], manifest=[manifest]).result
    assert {each.picture.name for each in dataset.examples} >= {Path(each["file_name"]).name for each in new}

    shown, _ = canvas.run("none", "learned it")
    assert shown.result[2] != folder and "Since the earlier round: 0.8333 to 1 on average" in shown.result[1]
    assert "concepts surely better: 2, surely worse: 0, of 6." in shown.result[1]
    assert "no concept is drawn worse than another" in shown.result[1]
    told, _ = canvas.run("none", "learned it", baseline=folder)
    assert told.result[1] == shown.result[1]
    assert {each: each.read_bytes() for each in sorted((canvas.place / "input").rglob("*.*"))} == before


def test_a_cancelled_round_goes_on_and_leaves_no_half_picture(canvas):
    with pytest.raises(KeyboardInterrupt):
        canvas.run("purple", "plain", stops_at=5)
    assert not list((canvas.place / "output").rglob("manifest.jsonl"))
    shown, calls = canvas.run("purple", "plain")
    assert calls == 2 * len(KINDS) - 4
    assert len(list((Path(shown.result[2]) / "pictures").iterdir())) == 2 * len(KINDS)


@pytest.mark.parametrize(
    ("widgets", "told"),
    [
        ({"candidates": "none"}, "No folder of candidates is chosen"),
        ({"candidates": "learned"}, "All candidates are trained on already"),
        ({"concepts": "a dog\na cat"}, "Pictures cannot be scored by nano's scene"),
        ({"choices": "fox.png"}, "'fox.png' is no choice"),
        ({"baseline": "elsewhere"}, "There is no earlier round"),
        ({"concepts_file": "../secret.txt"}, "lie outside ComfyUI's input folder"),
    ],
)
def test_what_cannot_be_curated_is_told_in_a_sentence_before_anything_is_drawn(canvas, widgets, told):
    with pytest.raises(ValueError, match=told):
        canvas.run("purple", "plain", **widgets)
    assert not list((canvas.place / "output").rglob("*.png")) or "baseline" in widgets


def test_candidates_without_captions_are_told(canvas):
    for each in (canvas.place / "input" / "pool").glob("*.txt"):
        each.unlink()
    with pytest.raises(ValueError, match="None of the 12 candidates in pool has a caption"):
        canvas.run("purple", "plain")


def test_phrases_of_captions_are_concepts_and_those_who_say_them_as_they_are_come_alone():
    captions = [["a red fox in the snow"], ["red fox, top corner"], ["one owl, top corner"], ["a fox that is red"]]
    assert [each.name for each in concepts_in(captions, 9)] == ["red fox"]
    pool = {str(number): texts for number, texts in enumerate(captions)}
    texts = ("red fox", "corner owl", "red owl", "a red owl that sat in the snow")
    found = hits_of(pool, [Concept(name="fox", prompts=("x",), words=texts)], 9, without={"0"})
    paths = {text: [each["path"] for each in hits] for text, hits in found.items()}
    assert (paths["red fox"], paths["corner owl"], paths["red owl"]) == (["1"], ["2"], [])
    assert paths[texts[3]][0] == "3" and set(paths[texts[3]]) == {"1", "2", "3"}
