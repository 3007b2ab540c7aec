"""A manifest with weights, as training reads it."""

import pytest
from PIL import Image

from zimage_core.data import read_dataset
from zimage_core.json_lines import to_lines


@pytest.fixture
def folder(tmp_path):
    for name in ("a", "b", "c", "d"):
        Image.new("RGB", (16, 16)).save(tmp_path / f"{name}.png")
    return tmp_path


def write(folder, *rows):
    file = folder / "chosen.jsonl"
    file.write_text(to_lines(rows), "utf-8")
    return file


def test_weights_become_repeats_that_are_off_by_an_eighth_at_most(folder):
    weights = {"a": 0.7, "b": 1, "c": 2.45, "d": 0}
    rows = [
        {"file_name": str(folder / "a.png"), "captions": ["a fox", "狐狸"], "weight": weights["a"]},
        *({"file_name": f"{name}.png", "text": name, "weight": weights[name]} for name in "bcd"),
    ]
    examples = read_dataset(write(folder, *rows)).examples
    assert [each.picture.stem for each in examples] == ["a", "b", "c"]
    assert examples[0].captions == ("a fox", "狐狸") and examples[1].captions == ("b",)
    for one in examples:
        ratio = weights[one.picture.stem] / weights["a"]
        assert one.repeats / examples[0].repeats == pytest.approx(ratio, rel=1 / 8)


def test_equal_weights_are_no_repeats_and_a_caption_is_lent(folder):
    rows = [{"file_name": "a.png", "weight": 3}, {"file_name": "b.png", "caption": "b", "weight": 3}]
    found = read_dataset(write(folder, *rows), "a thing").examples
    assert [(each.captions, each.repeats) for each in found] == [(("a thing",), 1), (("b",), 1)]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"file_name": "a.png", "text": "a", "weight": -1}, "line 1, weighs -1"),
        ({"file_name": "a.png", "text": "a", "weight": 0}, "names no picture with a weight above 0"),
        ({"text": "a"}, "line 1, names no picture"),
        ({"file_name": "gone.png", "text": "a"}, "line 1, names .*gone.png, which is not there"),
        ({"file_name": "a.png"}, "line 1, says nothing of"),
    ],
)
def test_what_cannot_be_trained_on_is_told_in_a_sentence(folder, row, said):
    with pytest.raises(ValueError, match=said):
        read_dataset(write(folder, row))
    with pytest.raises(ValueError, match="no manifest"):
        read_dataset(folder / "gone.jsonl")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b"[1]", "names no picture"),
        (b"{", "is not JSON"),
        (b'{"file_name": "b\xff.png"}', "is not UTF-8 text"),
        (b'{"file_name": "gone.png", "text": "gone"}', "names .*gone.png, which is not there"),
        (b'{"file_name": "b.png", "text": "b", "weight": "2"}', "weighs '2'"),
    ],
)
def test_a_bad_line_is_told_by_its_place_in_the_file_empty_lines_counted(folder, line, said):
    file = folder / "chosen.jsonl"
    file.write_bytes(b'{"file_name": "a.png", "text": "a"}\n\n' + line + b"\n")
    with pytest.raises(ValueError, match=f"chosen.jsonl, line 3, {said}"):
        read_dataset(file)
