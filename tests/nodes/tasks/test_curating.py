"""Z-Image Profile Folder and Find Duplicates: lists that Caption Folder and Dataset follow; a person decides."""

import importlib
from pathlib import Path
from types import SimpleNamespace

import pytest

from zimage_core.nano.data.example_sets import N_MESSY, write_messy

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


def test_a_persons_verdict_stands_over_the_searchs(nodes):
    choices = "drop 02.png\nkeep 02 copy.png\nkeep 08_mirrored.png\nkeep a file that has gone.png"
    shown = nodes.duplicates(folder="mess", difference=16.0, choices=choices)
    kept = shown.result[0].names
    assert {"02 copy.png", "08.png", "08_mirrored.png"} < set(kept) and "02.png" not in kept
    table = (nodes.place / "output" / "zimage_lists" / "mess" / "duplicates.tsv").read_text().splitlines()
    assert "02.png\tdrop\t02.png\t" in table and len(table) == 1 + 8
    [wall] = shown.ui["zimage_duplicates"]
    assert [[each["kind"] for each in group] for group in wall["groups"]][0] == ["kept", "exact"]


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
