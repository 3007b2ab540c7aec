"""Z-Image Profile Folder, Find Duplicates, Search Pictures: lists that Caption Folder and Dataset follow."""

import importlib
import json
import math
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from zimage_core.curation.rounds.concepts import read_concepts
from zimage_core.nano.data.example_sets import N_MESSY, write_messy
from zimage_core.scoring.features import ClipFolder

BUILT_IN = "captions and looks (built in)"
CAPTIONS = {"kind": "medium", "language": "English", "targets": "none", "text_files": True}


@pytest.fixture
def nodes(pack, monkeypatch, tmp_path):
    """The nodes' calls, with folders of the test's own."""
    import folder_paths

    for name in ("input", "output", "temp", "user"):
        (tmp_path / name).mkdir()
        monkeypatch.setattr(folder_paths, f"get_{name}_directory", lambda name=name: str(tmp_path / name))
    write_messy(tmp_path / "input" / "mess")

    def call(module, name):
        node = getattr(importlib.import_module(f"{pack.entry.__name__}.nodes.{module}"), name)
        return lambda **inputs: node.execute(**inputs)

    return SimpleNamespace(
        profile=call("profile_folder", "ZImageProfileFolder"),
        duplicates=call("duplicates", "ZImageFindDuplicates"),
        search=call("search_pictures", "ZImageSearchPictures"),
        concepts=call("concept_map", "ZImageConceptMap"),
        captions=call("caption_folder", "ZImageCaptionFolder"),
        dataset=call("datasets", "ZImageDataset"),
        place=tmp_path,
    )


def test_what_is_left_out_is_neither_captioned_nor_learned(nodes):
    before = sorted((file.name, file.read_bytes()) for file in (nodes.place / "input" / "mess").iterdir())
    shown = nodes.profile(folder="mess", leave_out="brightness < 0.07")
    pictures, report, file = shown.result
    assert report.startswith(f"{N_MESSY + 7} pictures in mess: {N_MESSY + 4} stay, 3 do not.")
    assert "empty.png" in report and "Left out by brightness < 0.07: 1 (lens cap.png)" in report
    assert "Proposed, not applied: dark_share > 0.5: 1 (lens cap.png)" in report
    assert Path(file).read_text().splitlines() == list(pictures.names)
    pictures, report, _ = nodes.duplicates(folder="none", difference=16.0, choices="", pictures=pictures).result
    assert report.startswith(f"{N_MESSY + 4} pictures in mess: {N_MESSY} stay, 4 are copies.")
    assert sorted((each.name, each.read_bytes()) for each in (nodes.place / "input" / "mess").iterdir()) == before
    *_, captioned = nodes.captions(
        captioner="nano (built in)", seed=0, folder="none", pictures=pictures, **CAPTIONS
    ).result
    dataset, _ = nodes.dataset(folder=["none"], caption=[""], resolution=[64], pictures=[captioned]).result
    assert sorted(each.picture.name for each in dataset.examples) == [f"{number:02}.png" for number in range(1, 25)]
    assert all(each.captions[0] for each in dataset.examples)


def test_a_score_is_a_measure_that_conditions_name(nodes):
    """The caption of one picture is given to another: nano's checker then sees what is not said."""
    folder = nodes.place / "input" / "mess"
    for number in (0, 1):
        (folder / f"{number + 1:02}.txt").write_text(("a big red circle on black", "")[number])
    given = {"folder": "mess", "score": "nano's scene"}
    pictures, report, _ = nodes.profile(leave_out="nano_s_scene < 1", **given).result
    assert "Left out by nano_s_scene < 1: 1 (01.png)" in report and "01.png" not in pictures.names
    assert "02.png" in pictures.names  # it has no caption
    assert "nano_s_scene" in (nodes.place / "output" / "zimage_lists" / "mess" / "profile.html").read_text("utf-8")
    with pytest.raises(ValueError, match="no measure 'nano_s_scene'"):
        nodes.profile(folder="mess", leave_out="nano_s_scene < 1", score="none")
    with pytest.raises(ValueError, match="no score 'beauty'"):
        nodes.profile(folder="mess", leave_out="", score="beauty")


def test_a_persons_verdict_stands_over_the_searchs(nodes):
    choices = "drop 02.png\nkeep 02 copy.png\nkeep 08_mirrored.png\nkeep a file that has gone.png"
    shown = nodes.duplicates(folder="mess", difference=16.0, choices=choices)
    kept = shown.result[0].names
    assert {"02 copy.png", "08.png", "08_mirrored.png"} < set(kept) and "02.png" not in kept
    table = (nodes.place / "output" / "zimage_lists" / "mess" / "duplicates.tsv").read_text().splitlines()
    assert "02.png\tdrop\t02.png\t" in table and len(table) == 1 + 8
    [wall] = shown.ui["zimage_duplicates"]
    assert [[each["kind"] for each in group] for group in wall["groups"]][0] == ["kept", "exact"]


def test_a_picture_finds_itself_and_its_copies_first_and_the_list_goes_on(nodes):
    asked = torch.from_numpy(np.array(Image.open(nodes.place / "input" / "mess" / "08.png").convert("RGB")))[None] / 255
    shown = nodes.search(folder="mess", words="", most=3, encoder=BUILT_IN, image=asked)
    pictures, report, file, best = shown.result
    assert pictures.names[0] == "08.png" and pictures.names[1] == "08_mirrored.png"  # looks know no left and right
    assert torch.equal(best, asked) and Path(file).read_text().splitlines() == pictures.names
    assert report.startswith(f"{N_MESSY + 7} pictures in mess: 3 found, by cosine, perceptual 1.")
    assert "cannot be read: 2" in report and "1\t08.png\t1.0000" in report
    [wall] = shown.ui["zimage_search"]
    assert [each["name"] for each in wall["hits"]] == pictures.names and wall["hits"][0]["score"] == pytest.approx(1)
    kept = nodes.profile(folder="none", leave_out="", pictures=pictures).result[0]
    assert sorted(kept.names) == sorted(pictures.names)


def test_words_find_what_captions_say(nodes):
    mess = nodes.place / "input" / "mess"
    for name, said in (("03", "a red fox"), ("05", "a fox and a red fox"), ("07", "a dog"), ("09", "一只狐狸")):
        (mess / f"{name}.txt").write_text(said, "utf-8")
    found = nodes.search(folder="mess", words="fox", most=9, encoder=BUILT_IN).result[0]
    assert found.names == ["05.png", "03.png"]
    assert nodes.search(folder="mess", words="狐狸", most=9, encoder=BUILT_IN).result[0].names == ["09.png"]
    for words, told in (("submarine", "No caption says any of these words: submarine"), ("", "nothing to search for")):
        with pytest.raises(ValueError, match=told):
            nodes.search(folder="mess", words=words, most=9, encoder=BUILT_IN)


def test_planted_captions_are_counted_and_what_is_wanted_and_not_there_is_told(nodes, monkeypatch):
    import folder_paths

    mess = nodes.place / "input" / "mess"
    said = ["a red fox", "red foxes in the snow", "a dog in the snow", "一只狐狸在雪地里", "一只狐狸", "two wolfs"]
    for number, words in enumerate(said, 1):
        (mess / f"{number:02}.txt").write_text(words, "utf-8")
    asked = {"folder": "mess", "wanted": "dog\npurple fox\nfox in the snow", "least_uses": 2}
    shown = nodes.concepts(**asked, knowledge="none")
    report, file = shown.result
    [told] = shown.ui["zimage_concepts"]
    tables = {each["title"]: {row["en"] or row["zh"]: row["count"] for row in each["rows"]} for each in told["tables"]}
    assert tables["Wanted"] == {"purple fox": 0, "dog": 1, "fox in the snow": 1} and told["pictures"] == len(said)
    assert (tables["Most common"], tables["Rarest"]) == ({"狐狸": 2, "fox": 2}, {"dog": 1, "snow": 2})
    assert "Missing" not in tables
    rows = {row["concept"]: row for row in map(json.loads, Path(file).read_text("utf-8").splitlines())}
    assert (rows["fox"]["coverage"], rows["purple fox"]["coverage"]) == (2, 0)  # in the singular, of red foxes, too
    assert rows["snow"]["rarity"] == pytest.approx(math.log(1 + (6 - 2 + 0.5) / (2 + 0.5)))
    assert next(iter(rows)) == "purple fox" and "Wanted: purple fox 0, " in report
    assert "<h1>Concepts</h1>" in (Path(file).parent / "concepts.html").read_text("utf-8")
    assert {each.name: each.words for each in read_concepts(Path(file), 9)}["snow"] == ("snow",)

    world = nodes.place / "models" / "concepts" / "world.jsonl"
    world.parent.mkdir(parents=True)
    pages = (("Fox", "Canines"), ("Wolf", "Canines"), ("Dog", "Canines"), ("Crane", "Birds"))
    world.write_text("".join(json.dumps({"title": title, "category": [kind]}) + "\n" for title, kind in pages))
    monkeypatch.setattr(folder_paths, "models_dir", str(nodes.place / "models"))
    [told] = nodes.concepts(**asked, knowledge="world.jsonl").ui["zimage_concepts"]
    tables = {each["title"]: {row["en"]: row["count"] for row in each["rows"]} for each in told["tables"]}
    assert tables["Most common"]["Canines"] == 4 and tables["Rarest"]["Dog"] == 1  # foxes, a dog, wolves
    assert {"Crane", "Birds"} == tables["Missing"].keys()


@pytest.mark.parametrize(
    ("inputs", "told"),
    [
        ({}, "None of these pictures has a caption, which the map"),
        ({"knowledge": "gone"}, "There is no 'gone' in models/concepts"),
        ({"least_uses": 9}, "No words are used by 9 pictures"),
    ],
)
def test_what_cannot_be_mapped_is_told_in_a_sentence(nodes, inputs, told):
    if inputs:
        (nodes.place / "input" / "mess" / "01.txt").write_text("a fox")
    with pytest.raises(ValueError, match=told):
        nodes.concepts(**{"folder": "mess", "wanted": "", "least_uses": 2, "knowledge": "none", **inputs})


def test_a_clip_compares_words_with_pictures_and_other_models_of_the_folder_are_passed_over(nodes, monkeypatch):
    import folder_paths
    from tiny_clip import save_tiny

    models = nodes.place / "clips"
    save_tiny(models / "b clip", "clip")
    (models / "a other").mkdir()
    (models / "a other" / "config.json").write_text('{"model_type": "dinov2"}')
    (models / "a other" / "model.safetensors").write_bytes(b"")
    monkeypatch.setattr(folder_paths, "get_folder_paths", lambda kind: [str(models)])
    shown = nodes.search(folder="mess", words="a red dog", most=5, encoder="automatic").result
    clip = ClipFolder(models / "b clip")
    said = clip.words(["a red dog"])[0]
    files = [each for each in (nodes.place / "input" / "mess").iterdir() if each.name in shown[0].names]
    wanted = {each.name: float(clip.pictures([Image.open(each).convert("RGB")])[0] @ said) for each in files}
    assert ", by cosine, b clip." in shown[1]
    assert shown[0].names == sorted(wanted, key=lambda name: (-round(wanted[name], 5), name))


@pytest.mark.parametrize(
    ("inputs", "told"),
    [
        ({"folder": "none"}, "No folder is chosen"),
        ({"folder": "mess", "choices": "fox.png"}, "'fox.png' is no choice"),
        ({"folder": "../elsewhere"}, "outside ComfyUI's input folder"),
    ],
)
def test_what_cannot_be_searched_is_told_in_a_sentence(nodes, inputs, told):
    with pytest.raises(ValueError, match=told):
        nodes.duplicates(**{"difference": 16.0, "choices": "", **inputs})
