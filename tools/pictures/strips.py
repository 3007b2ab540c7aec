"""Strips: pictures side by side, with the setting of each written below it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from PIL import Image, ImageChops, ImageDraw, ImageFont

from .prompt_graph import Link, PromptGraph

SIDE = 128  # pixels; smaller pictures are doubled, and the page shrinks a strip to the width of its panel
GAP = 8  # pixels
LINE_HEIGHT = 40  # pixels
LARGEST_FONT = 34  # points; a narrow panel shrinks it to a third
TEXT_COLORS = "#3d8bc4", "#868686"  # of a setting and of a number, readable on a light and on a dark page
FRAME_COLOR = "#868686"  # without it a white picture has no visible edge
CLEAR = 0, 0, 0, 0


@dataclass(frozen=True)
class Panel:
    """A picture output of a prompt graph, its label, and the output with a number to show below, if any."""

    label: str
    image: Link
    number: Link | None = None


@dataclass(frozen=True)
class Difference:
    """The absolute difference of two pictures of a strip, by index, amplified."""

    first: int
    second: int
    times: int


Rows = Sequence[Sequence[Panel | Difference]]
StripBuilder = Callable[[PromptGraph], Rows]  # adds a strip's nodes to a graph that holds nano's loaders


@dataclass(frozen=True)
class Cell:
    """A loaded picture and the lines of text below it."""

    picture: Image.Image
    lines: Sequence[str]


def numbered(pictures: Sequence[Link]) -> list[Panel]:
    """Pictures labeled 1, 2, 3 …, which the help page refers to."""
    return [Panel(str(number), picture) for number, picture in enumerate(pictures, 1)]


def difference(first: Image.Image, second: Image.Image, times: int) -> Image.Image:
    """Absolute difference of two pictures, times a factor that makes it visible."""
    return ImageChops.difference(first, second).point([min(255, value * times) for value in range(256)] * 3)


def strip(rows: Sequence[Sequence[Cell]]) -> Image.Image:
    """Rows of pictures on a transparent ground, as the page has a light and a dark theme."""
    row_images = [row_image(row) for row in rows]
    size = max(each.width for each in row_images), sum(each.height for each in row_images) + GAP
    sheet = Image.new("RGBA", size, CLEAR)
    top = 0
    for each in row_images:
        sheet.paste(each, (0, top))
        top += each.height
    return sheet


def row_image(row: Sequence[Cell]) -> Image.Image:
    """One row: small pictures enlarged, aligned at the bottom, text centered below."""
    pictures = [enlarge(cell.picture) for cell in row]
    tallest = max(picture.height for picture in pictures)
    n_lines = max(len(cell.lines) for cell in row)
    width = sum(picture.width + GAP for picture in pictures) + GAP
    sheet = Image.new("RGBA", (width, GAP + tallest + n_lines * LINE_HEIGHT), CLEAR)
    draw, left = ImageDraw.Draw(sheet), GAP
    for cell, picture in zip(row, pictures, strict=True):
        top = GAP + tallest - picture.height
        sheet.paste(picture, (left, top))
        draw.rectangle((left - 1, top - 1, left + picture.width, top + picture.height), outline=FRAME_COLOR)
        for index, line in enumerate(cell.lines):
            center = left + picture.width / 2, GAP + tallest + (index + 0.5) * LINE_HEIGHT + 2
            draw.text(center, line, fill=TEXT_COLORS[index], font=fitting_font(line, picture.width), anchor="mm")
        left += picture.width + GAP
    return sheet


def fitting_font(line: str, width: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Pillow's own font at the largest size at which the line is no wider than its picture."""
    fonts = (ImageFont.load_default(size) for size in range(LARGEST_FONT, 8, -1))
    return next(font for font in fonts if font.getlength(line) <= width)


def enlarge(picture: Image.Image) -> Image.Image:
    """Scale small pictures up twice, their pixels kept visible."""
    times = 2 if max(picture.size) <= SIDE else 1
    return picture.resize((times * picture.width, times * picture.height), Image.Resampling.NEAREST)
