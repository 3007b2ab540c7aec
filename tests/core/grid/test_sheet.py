"""The labelled sheet: every picture bit for bit, labels in the room between them and nowhere else."""

from itertools import product

import pytest
import torch
from PIL import ImageFont

from zimage_core.grid import Layout, compose, labels
from zimage_core.grid.labels import font_for, wrapped

NAMES = ("steps 4", "steps 8", "a prompt so long that it needs more than one line above a picture")


def noise(n, h, w):
    return torch.rand((n, h, w, 3), generator=torch.Generator().manual_seed(n)) * 0.8


def found(sheet, picture):
    """Top and left of a picture on a sheet; its first pixel is enough to look at, as all are different."""
    h, w, _ = picture.shape
    [place] = [
        (y, x)
        for y, x in (sheet[: len(sheet) - h + 1, : sheet.shape[1] - w + 1] == picture[0, 0]).all(-1).nonzero().tolist()
        if torch.equal(sheet[y : y + h, x : x + w], picture)
    ]
    return place


@pytest.mark.parametrize(("columns", "rows", "sheets"), [(3, 2, 2), (1, 1, 1), (1, 3, 1)])
def test_pictures_stand_in_order_and_unchanged(columns, rows, sheets):
    pictures = noise(columns * rows * sheets, 200, 240)
    layout = Layout(columns=NAMES[:columns], rows=NAMES[:rows], sheets=[f"seed {each}" for each in range(sheets)])
    composed = compose(pictures, layout)
    assert len(composed) == sheets
    places = [
        found(sheet, each) for sheet, on in zip(composed, pictures.split(columns * rows), strict=True) for each in on
    ]
    for sheet in range(sheets):
        on = places[sheet * columns * rows :][: columns * rows]
        tops, lefts = sorted({y for y, _ in on}), sorted({x for _, x in on})
        assert on == list(product(tops, lefts))


def test_labels_are_drawn_outside_the_pictures_and_not_cut_by_the_edge():
    white = torch.ones(6, 200, 240, 3)
    [sheet] = compose(white, Layout(columns=NAMES, rows=["\u7ea2\u8272\u7231\u5fc3", NAMES[2] * 9], sheets=[""]))
    ink = (sheet < 0.5).all(-1)
    assert ink.any() and not ink[0].any() and not ink[-1].any() and not ink[:, 0].any() and not ink[:, -1].any()
    [bare] = compose(white, Layout(columns=[""] * 3, rows=[""] * 2, sheets=[""]))
    assert bool((bare == 1).all()) and bare.shape[0] < sheet.shape[0] and bare.shape[1] < sheet.shape[1]


def test_labels_of_a_batch_are_as_large_as_those_of_one_picture():
    layout = Layout(columns=["steps 4"], rows=["CFG 1"], sheets=["seed 1"])
    one, wide = noise(1, 200, 240), noise(1, 200, 4800)
    assert found(compose(one, layout)[0], one[0]) == found(compose(wide, layout)[0], wide[0])


def test_small_pictures_are_enlarged_by_a_whole_factor():
    picture = noise(1, 64, 48)
    [sheet] = compose(picture, Layout(columns=["seed 1"], rows=[""], sheets=[""]))
    found(sheet, picture[0].repeat_interleave(4, 0).repeat_interleave(4, 1))


def test_a_sheet_that_no_browser_could_show_is_made_smaller():
    [sheet] = compose(torch.full((20, 200, 1000, 3), 0.5), Layout(columns=[""] * 20, rows=[""], sheets=[""]))
    assert sheet.shape[1] < 16384 * 1.05
    assert 0.95 < float((sheet == 0.5).all(-1).sum()) / (20 * 200 * 1000 * (16384 / 20000) ** 2) < 1.05


@pytest.mark.parametrize(
    "text", [NAMES[2], "\u4e00\u53ea\u6234\u7740\u56f4\u5dfe\uff0c\u7684\u72d0\u72f8" * 4, "x" * 300]
)
def test_lines_fit_the_width_and_lose_no_letter(text):
    font = font_for(text, 20)
    lines = wrapped(text, font, 150, 99)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")
    assert max(map(font.getlength, lines)) <= 150
    assert not any(line.startswith("\uff0c") for line in lines)
    short = wrapped(text, font, 150, 2)
    assert len(short) == 2 and short[-1].endswith("...") and font.getlength(short[-1]) <= 150


def test_without_a_font_with_chinese_letters_labels_are_still_drawn(monkeypatch):
    monkeypatch.setattr("zimage_core.grid.labels.chinese_font", lambda: None)
    assert isinstance(font_for("\u7ea2", 20), ImageFont.FreeTypeFont)


def test_labels_that_no_font_here_can_draw_give_way_to_numbers(monkeypatch):
    picture, others = torch.ones(2, 64, 64, 3), {"rows": ["seed 1"], "sheets": [""]}
    monkeypatch.setattr(labels, "CHINESE_FONTS", ())
    labels.chinese_font.cache_clear()
    numbered = compose(picture, Layout(columns=["X 1", "X 2"], **others))
    assert torch.equal(compose(picture, Layout(columns=["\u7ea2\u8272", "blue"], **others)), numbered)
    labels.chinese_font.cache_clear()
