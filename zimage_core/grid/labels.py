"""Words on a sheet: a font that has their letters, and lines that fit a width in pixels."""

import re
from collections.abc import Iterator, Sequence
from functools import cache
from typing import TypeAlias

from PIL import ImageFont

Font: TypeAlias = ImageFont.FreeTypeFont | ImageFont.ImageFont

CUT = "..."
IN_CHINESE = re.compile(r"[\u3400-\u9fff]")
# Fonts with Chinese letters that come with Windows, macOS and Linux; Pillow looks for them where each system keeps its.
CHINESE_FONTS = (
    *("msyh.ttc", "msyh.ttf", "simhei.ttf", "simsun.ttc"),
    *("PingFang.ttc", "Hiragino Sans GB.ttc", "STHeiti Light.ttc", "Arial Unicode.ttf"),
    *("NotoSansCJK-Regular.ttc", "NotoSansCJKsc-Regular.otf", "NotoSansSC-Regular.otf", "SourceHanSansSC-Regular.otf"),
    *("wqy-microhei.ttc", "wqy-zenhei.ttc", "DroidSansFallbackFull.ttf", "DroidSansFallback.ttf"),
)
# A line may break after a space, and around a Chinese letter with the marks that close it.
PIECE = re.compile(
    r"[\u2e80-\uffef](?:[\u3001\u3002\u300d\u300f\uff01\uff09\uff0c\uff1a\uff1b\uff1f])*|[^\s\u2e80-\uffef]+|\s+"
)


def font_for(text: str, size: int) -> Font:
    """Pillow's own font, the same on every machine, for ASCII; else the first on this machine with Chinese letters."""
    file = None if text.isascii() else chinese_font()
    return ImageFont.truetype(file, size) if file else ImageFont.load_default(size)


@cache
def chinese_font() -> str | None:
    """The name of such a font; None where there is none."""
    for name in CHINESE_FONTS:
        try:
            ImageFont.truetype(name)
        except OSError:
            continue
        return name
    return None


def drawable(labels: Sequence[str], letter: str) -> list[str]:
    """The labels of an axis; its letter and numbers ("X 2") where they are Chinese and no font here has the letters."""
    if chinese_font() or not any(IN_CHINESE.search(label) for label in labels):
        return list(labels)
    return [f"{letter} {number}" for number in range(1, len(labels) + 1)]


def wrapped(text: str, font: Font, width: float | int, most_lines: int) -> list[str]:
    """The text in lines of at most `width` pixels; one that needs more than `most_lines` ends in dots."""
    lines = [""]
    for piece in _pieces(text, font, width):
        if lines[-1] and font.getlength((lines[-1] + piece).rstrip()) > width:
            lines.append("")
        lines[-1] += piece if lines[-1] else piece.lstrip()
    lines = [line.rstrip() for line in lines if line.strip()]
    if len(lines) <= most_lines:
        return lines
    last = lines[most_lines - 1]
    while last and font.getlength(last + CUT) > width:
        last = last[:-1]
    return [*lines[: most_lines - 1], last.rstrip() + CUT]


def _pieces(text: str, font: Font, width: float | int) -> Iterator[str]:
    """What stays together on a line; a word wider than that is divided into letters."""
    for piece in PIECE.findall(text):
        yield from [piece] if font.getlength(piece) <= width else piece
