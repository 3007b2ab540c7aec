"""Datasets of every layout: pairs, masks, repeats, tables, TOML; and what is said of those that are not whole."""

import json

import pytest
from PIL import Image

from zimage_core.data import hash_of, picture_folder, read_dataset, read_pair_folders, read_picture_folder

FOX = ("make the fox red",)


@pytest.fixture
def put(tmp_path):
    """Writes files below a folder: pictures of 16x16, and texts."""

    def write(*names, **texts):
        for name in names:
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (16, 16)).save(tmp_path / name)
        for name, words in texts.items():
            (tmp_path / name.replace("__", "/").replace("_", ".", 1)).write_text(words, encoding="utf-8")
        return tmp_path

    return write


def told(examples, folder):
    """Names, below a folder, of what examples are made of."""

    def name(file):
        return file and file.relative_to(folder).as_posix()

    return [(name(each.picture), [*map(name, each.references)], name(each.mask), each.captions) for each in examples]


def test_pairs_are_known_by_names_folders_and_tables(put, tmp_path):
    folder = put(
        "a/fox.source.png", "a/fox.target.jpg", "a/fox.mask.png", "a/cat.png", a__fox_txt=FOX[0], a__cat_txt="cat"
    )
    assert told(read_dataset(folder / "a").examples, folder) == [
        ("a/cat.png", [], None, ("cat",)),
        ("a/fox.target.jpg", ["a/fox.source.png"], "a/fox.mask.png", FOX),
    ]
    put(*(f"b/{name}/fox.png" for name in ("source10", "source2", "target", "masks")), b__target__fox_txt=FOX[0])
    expected = [("b/target/fox.png", ["b/source2/fox.png", "b/source10/fox.png"], "b/masks/fox.png", FOX)]
    assert told(read_dataset(folder / "b").examples, folder) == expected
    put("c/1.png", "c/2.png", "c/3.png")
    rows = [
        {"source": "1.png", "target": "2.png", "instruction": FOX[0], "instruction_zh": "把狐狸变红"},
        {"sources": ["2.png", "3.png"], "target": "1.png", "text": "back"},
    ]
    (folder / "c" / "pairs.jsonl").write_text("\n".join(map(json.dumps, rows)))
    assert told(read_dataset(folder / "c").examples, folder) == [
        ("c/2.png", ["c/1.png"], None, (*FOX, "把狐狸变红")),
        ("c/1.png", ["c/2.png", "c/3.png"], None, ("back",)),
    ]
    put("before/x.png", "after/x.webp")
    [pair] = read_pair_folders([folder / "before"], folder / "after", "swap")
    assert (pair.references, pair.picture) == ((folder / "before/x.png",), folder / "after/x.webp")
    assert pair.captions == ("swap",)


def test_parts_have_repeats_and_may_be_for_regularization(put):
    folder = put("10_zorp/a.png", "1_heart/b.png", "notes/c.png")
    found = [(each.picture.name, each.captions, each.repeats) for each in read_dataset(folder).examples]
    assert found == [("a.png", ("zorp",), 10), ("b.png", ("heart",), 1)]
    put("edited/y.png", "raw/y.png", notes__c_caption="a note")
    (folder / "dataset.toml").write_text(
        """[general]
caption_extension = ".caption"
[[datasets]]
resolution = 512
  [[datasets.subsets]]
  image_dir = "10_zorp"
  class_tokens = "zorp"
  num_repeats = 3
  [[datasets.subsets]]
  image_dir = "notes"
  is_reg = true
[[datasets]]
image_directory = "edited"
control_directory = "raw"
class_tokens = "clean it"
"""
    )
    examples, regularization = read_dataset(folder)
    found = [(each.picture.name, len(each.references), each.captions, each.repeats) for each in examples]
    assert found == [("a.png", 0, ("zorp",), 3), ("y.png", 1, ("clean it",), 1)]
    assert [each.captions for each in regularization] == [("a note",)]
    assert [each.picture.name for each in examples[-1:]] == ["y.png"] and len(examples) == 2


def test_captions_of_several_types_and_languages(put):
    folder = put("a.png", "b.png")
    (folder / "a.json").write_text('{"caption": {"en": {"short": "a fox", "tags": "fox, snow"}, "zh": "狐狸"}, "n": 1}')
    (folder / "captions.jsonl").write_text(
        '{"file_name": "b.png", "caption_en": "a bear", "caption_zh": ["熊"], "n": 1}'
    )
    assert [each.captions for each in read_picture_folder(folder)] == [("a fox", "fox, snow", "狐狸"), ("a bear", "熊")]
    long = " ".join(["fox"] * 3000)
    (folder / "a.json").unlink()
    (folder / "a.txt").write_text(long)
    assert read_picture_folder(folder)[0].captions == (long,)


FAULTS = {
    "an empty folder": ([], {}, "holds no pictures"),
    "pictures without captions": (
        ["a.png", "b.png"],
        {"a_txt": "a"},
        r"1 of 2 pictures .* have no caption: b\.png\. Write",
    ),
    "a target without a source": (
        ["a.target.png", "b.source.png", "b.target.png"],
        {},
        "1 of 2 pairs .*: a lacks its source",
    ),
    "a source without a target": (
        ["source/a.png", "target/b.png"],
        {},
        "2 of 2 .*: a lacks its target, b lacks its source",
    ),
    "two targets": (["source/a.png", "target/a.png", "target/a.jpg"], {}, "a has 2 targets"),
    "no instruction": (["source/a.png", "target/a.png"], {}, r"1 of 1 pairs .* no instruction: a\. .*such as a\.txt"),
    "empty pair folders": (["source/a/b.png", "target/a/b.png"], {}, "holds no pairs"),
    "a line without a source": (["a.png"], {"pairs_jsonl": '{"target": "a.png"}'}, "pair 1, names no source"),
    "a line about no file": (
        ["a.png"],
        {"pairs_jsonl": '{"target": "a.png", "source": "b.png", "text": "x"}'},
        r"1 of 1 pairs .*: .*line 1 lacks its source",
    ),
    "a table that is no JSON": (["a.png"], {"metadata_jsonl": "{}\n{"}, r"metadata\.jsonl, line 2, is not JSON"),
    "broken TOML": ([], {"dataset_toml": "[["}, "it is no TOML"),
    "TOML without folders": ([], {"dataset_toml": "[[datasets]]\nresolution = 3"}, "names no folder of pictures"),
    "TOML of regularization": (["r/a.png"], {"dataset_toml": "[[datasets]]\nimage_dir='r'\nis_reg=true"}, "every part"),
    "TOML about a folder that is not there": (
        [],
        {"dataset_toml": "[[datasets]]\nimage_dir='r'"},
        "there is no folder",
    ),
    "repeats that are none": ([], {"dataset_toml": "[[datasets]]\nimage_dir='r'\nnum_repeats=0"}, "num_repeats"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_one_sentence(put, fault):
    names, texts, sentence = FAULTS[fault]
    folder, caption = put(*names, **texts), "x" if "TOML of" in fault or "target" in fault.split()[-1] else ""
    with pytest.raises(ValueError, match=sentence) as raised:
        read_dataset(folder, caption)
    assert len(str(raised.value).splitlines()) == 1


def test_the_hash_tells_references_masks_and_repeats(put):
    folder = put("source/a.png", "target/a.png", "masks/a.png", target__a_txt="x")
    [pair] = read_dataset(folder).examples
    plain = type(pair)(picture=pair.picture, captions=pair.captions)
    assert (
        len({hash_of([each]) for each in (pair, plain, type(pair)(picture=pair.picture, captions=("x",), repeats=2))})
        == 3
    )


def test_a_long_listing_stays_small(tmp_path, monkeypatch):
    """Twenty thousand pictures that no disk has to hold: their names come from a stand-in for the folder."""
    resource = pytest.importorskip("resource")
    monkeypatch.setattr(picture_folder, "file_names", lambda _: (f"{n:07}.png" for n in reversed(range(20_000))))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    examples = read_picture_folder(tmp_path, "a fox")
    assert len(examples) == 20_000 and examples[7].picture.name == "0000007.png"
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 12 * 1024  # KiB
