"""Pictures side by side, with what was set written below each."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from help_graphs import Graph, Link
from PIL import Image, ImageChops, ImageDraw, ImageFont

SIDE = 128  # pixels; smaller pictures are doubled, and the page shrinks a strip to the width of its panel
GAP = 8  # pixels
LINE = 40  # height of a line of letters
LARGEST = 34  # letters; a third of it is left in a narrow panel
INKS = "black", "#707070"
FRAME = "#c8c8c8"  # or a white picture would have no edge


@dataclass(frozen=True)
class Shown:
    """A picture of a graph, with what was set, and a number some node gave out."""

    label: str
    image: Link
    number: Link | None = None


@dataclass(frozen=True)
class Difference:
    """How far two pictures of a strip, counted from its first, are apart, so many times as bright."""

    first: int
    second: int
    times: int


Rows = Sequence[Sequence[Shown | Difference]]
Draw = Callable[[Graph], Rows]


@dataclass(frozen=True)
class Cell:
    """A picture that is there, and the lines below it."""

    picture: Image.Image
    lines: Sequence[str]


def numbered(pictures: Sequence[Link]) -> list[Shown]:
    """Pictures that the page names by their place."""
    return [Shown(str(number), picture) for number, picture in enumerate(pictures, 1)]


def difference(first: Image.Image, second: Image.Image, times: int) -> Image.Image:
    """Absolute difference of two pictures, made visible."""
    return ImageChops.difference(first, second).point([min(255, value * times) for value in range(256)] * 3)


def strip(rows: Sequence[Sequence[Cell]]) -> Image.Image:
    """Rows of pictures on white."""
    bands = [band(row) for row in rows]
    sheet = Image.new("RGB", (max(each.width for each in bands), sum(each.height for each in bands) + GAP), "white")
    top = 0
    for each in bands:
        sheet.paste(each, (0, top))
        top += each.height
    return sheet


def band(row: Sequence[Cell]) -> Image.Image:
    """One row: small pictures enlarged with their pixels kept visible, bottoms in line, letters centred below."""
    pictures = [enlarged(cell.picture) for cell in row]
    tallest = max(picture.height for picture in pictures)
    n_lines = max(len(cell.lines) for cell in row)
    width = sum(picture.width + GAP for picture in pictures) + GAP
    sheet = Image.new("RGB", (width, GAP + tallest + n_lines * LINE), "white")
    draw, left = ImageDraw.Draw(sheet), GAP
    for cell, picture in zip(row, pictures, strict=True):
        top = GAP + tallest - picture.height
        sheet.paste(picture, (left, top))
        draw.rectangle((left - 1, top - 1, left + picture.width, top + picture.height), outline=FRAME)
        for index, line in enumerate(cell.lines):
            place = left + picture.width / 2, GAP + tallest + (index + 0.5) * LINE + 2
            draw.text(place, line, fill=INKS[index], font=fitting(line, picture.width), anchor="mm")
        left += picture.width + GAP
    return sheet


def fitting(line: str, width: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Pillow's own letters, as large as the picture above them is wide."""
    fonts = (ImageFont.load_default(size) for size in range(LARGEST, 8, -1))
    return next(font for font in fonts if font.getlength(line) <= width)


def enlarged(picture: Image.Image) -> Image.Image:
    """Twice as large, unless it is large already."""
    times = 2 if max(picture.size) <= SIDE else 1
    return picture.resize((times * picture.width, times * picture.height), Image.Resampling.NEAREST)
