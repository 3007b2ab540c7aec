"""The labelled sheet: columns named above, rows named at the left, and a heading on each sheet.

Letters: n pictures, h and w their pixels, s sheets, H and W a sheet's pixels. Pictures and sheets are in [0, 1].
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from einops import rearrange
from PIL import Image, ImageDraw
from torch import Tensor
from torch.nn.functional import interpolate

from .._shapes import Float
from .labels import Font, drawable, font_for, wrapped

LEAST_SIDE = 192  # pixels: smaller pictures are enlarged by a whole factor, else no label would fit beside them
MOST_SIDE = 16384  # pixels of all columns or rows: browsers show nothing larger, so larger sheets are made smaller
LETTERS = 1 / 24  # height of letters, of a picture's shorter side: a row of a batch is wide, its labels are not larger
LEAST_LETTERS = 18  # pixels
ROW_LABELS = 0.75  # of a picture's width: the most that labels of rows take
MOST_LINES = 6  # of labels above; those of rows have a picture's height
LINE, GAP = 1.3, 0.5  # heights of a letter: from line to line, and around pictures and labels


@dataclass(frozen=True, kw_only=True)
class Layout:
    """Labels of columns, rows and sheets; an empty one takes no room."""

    columns: Sequence[str]
    rows: Sequence[str]
    sheets: Sequence[str]

    @property
    def count(self) -> int:
        """Pictures on all sheets."""
        return len(self.columns) * len(self.rows) * len(self.sheets)


def compose(pictures: Float[Tensor, "n h w 3"], layout: Layout) -> Float[Tensor, "s H W 3"]:
    """The sheets of pictures that are in order: along a row, then row by row, then sheet by sheet."""
    sized = _fitted(pictures, len(layout.columns), len(layout.rows))
    layout = Layout(
        columns=drawable(layout.columns, "X"), rows=drawable(layout.rows, "Y"), sheets=drawable(layout.sheets, "Z")
    )
    _, height, width, _ = sized.shape
    places = _Places(layout, height, width)
    sheets: list[Tensor] = []
    for heading, on_sheet in zip(layout.sheets, sized.split(len(layout.columns) * len(layout.rows)), strict=True):
        sheet = torch.from_numpy(np.asarray(places.labelled(heading), np.float32) / 255)
        for index, picture in enumerate(on_sheet):
            top, left = places.corner(*divmod(index, len(layout.columns)))
            sheet[top : top + height, left : left + width] = picture
        sheets.append(sheet)
    return torch.stack(sheets)


class _Places:
    """Where things are on a sheet; all sheets of a grid are alike."""

    def __init__(self, layout: Layout, height: int, width: int) -> None:
        self.layout, self.height, self.width = layout, height, width
        self.size = max(LEAST_LETTERS, round(min(height, width) * LETTERS))
        self.gap, self.line = round(self.size * GAP), round(self.size * LINE)
        self.font: Font = font_for("".join((*layout.columns, *layout.rows, *layout.sheets)), self.size)
        self.columns = [wrapped(label, self.font, width, MOST_LINES) for label in layout.columns]
        self.rows = [wrapped(label, self.font, width * ROW_LABELS, height // self.line) for label in layout.rows]
        widest = max((self.font.getlength(line) for lines in self.rows for line in lines), default=0)
        self.left = self.gap + (round(widest) + 2 * self.gap if widest else 0)
        self.right = self.left + len(self.columns) * (width + self.gap)
        self.headings = {
            each: wrapped(each, self.font, self.right - 2 * self.gap, MOST_LINES) for each in layout.sheets
        }
        self.heading_height = self._height_of(self.headings.values())
        self.top = self.gap + self.heading_height + self._height_of(self.columns)
        self.bottom = self.top + len(self.rows) * (height + self.gap)

    def corner(self, row: int, column: int) -> tuple[int, int]:
        """Top and left of a picture."""
        return self.top + row * (self.height + self.gap), self.left + column * (self.width + self.gap)

    def labelled(self, heading: str) -> Image.Image:
        """A white sheet with its labels and no pictures."""
        sheet = Image.new("RGB", (self.right, self.bottom), "white")
        draw = ImageDraw.Draw(sheet)
        self._write(draw, self.headings[heading], (self.left + self.right - self.gap) / 2, self.gap, anchor="ma")
        for index, lines in enumerate(self.columns):
            middle = self.corner(0, index)[1] + self.width / 2
            self._write(draw, lines, middle, self.top - self.gap - len(lines) * self.line, anchor="ma")
        for index, lines in enumerate(self.rows):
            top = self.corner(index, 0)[0] + (self.height - len(lines) * self.line) / 2
            self._write(draw, lines, self.left - 2 * self.gap, top, anchor="ra")
        return sheet

    def _write(
        self, draw: ImageDraw.ImageDraw, lines: Sequence[str], x: float | int, y: float | int, *, anchor: str
    ) -> None:
        for index, line in enumerate(lines):
            draw.text((x, y + index * self.line), line, fill="black", font=self.font, anchor=anchor)

    def _height_of(self, labels: Iterable[Sequence[str]]) -> int:
        """Room for the label with the most lines, and a gap below it; none for none."""
        most = max(len(lines) for lines in labels)
        return most * self.line + self.gap if most else 0


def _fitted(pictures: Float[Tensor, "n h w 3"], columns: int, rows: int) -> Float[Tensor, "n _h _w 3"]:
    """Small pictures enlarged with their pixels visible, those of a too large sheet smaller, others as they are."""
    _, height, width, _ = pictures.shape
    enlarged = -(-LEAST_SIDE // min(height, width))
    if enlarged > 1:
        return pictures.repeat_interleave(enlarged, 1).repeat_interleave(enlarged, 2)
    scale = min(MOST_SIDE / (columns * width), MOST_SIDE / (rows * height))
    if scale >= 1:
        return pictures
    size = (max(1, int(height * scale)), max(1, int(width * scale)))
    smaller = interpolate(rearrange(pictures, "n h w c -> n c h w"), size, mode="area")
    return rearrange(smaller, "n c h w -> n h w c")
