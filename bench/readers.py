"""`python -m bench.readers`: how well the readers read a thousand rendered words, clean and spoiled, and do they agree.

The words are those of this project's own pages. Each picture has twenty, in one of the fonts; a word counts as read if
it stands among the words that a reader found, and two readers agree on a word that both found or both missed.
"""

import argparse
import random
import re
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont
from tqdm import tqdm

from zimage_core.scoring.lettering import RapidReader, Reader, ReadOnce, TesseractReader, check_reader

ROOT = Path(__file__).resolve().parents[1]
WORD = re.compile(r"(?<![\w`/.-])[A-Za-z]{3,10}(?![\w`/.-])")
COLUMNS, ROWS = 2, 10
SIDE, LETTER = 512, 28  # pixels


def words(count: int) -> list[str]:
    """Distinct words of the pages, shuffled with a seed."""
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), *sorted((ROOT / "js/docs").glob("*/en.md"))]
    pages += [ROOT / "CHANGELOG.md", *sorted((ROOT / "js/docs").glob("*.md"))]
    known = sorted({word for page in pages for word in WORD.findall(page.read_text("utf-8"))})
    if len(known) < count:
        raise SystemExit(f"these pages have {len(known)} words; ask for no more with --words")
    return random.Random(0).sample(known, count)


def drawn(page: Sequence[str], font: str | None) -> Image.Image:
    """Words in black on white, two in a row."""
    picture = Image.new("RGB", (SIDE, SIDE), "white")
    draw = ImageDraw.Draw(picture)
    face = ImageFont.truetype(font, LETTER) if font else ImageFont.load_default(LETTER)
    for number, word in enumerate(page):
        place = SIDE * (number % COLUMNS + 0.5) / COLUMNS, SIDE * (number // COLUMNS + 0.5) / ROWS
        draw.text(place, word, font=face, fill="black", anchor="mm")
    return picture


def blurred(sigma: float) -> Callable[[Image.Image], Image.Image]:
    """A Gaussian blur of that many pixels."""
    return lambda picture: picture.filter(ImageFilter.GaussianBlur(sigma))


def shrunk(side: int) -> Callable[[Image.Image], Image.Image]:
    """The picture at another side."""
    return lambda picture: picture.resize((side, side), Image.Resampling.LANCZOS)


def noisy(picture: Image.Image) -> Image.Image:
    """Gaussian noise of a quarter of the range."""
    noise = np.random.default_rng(0).normal(0, 64, (picture.height, picture.width, 3))
    return Image.fromarray((np.asarray(picture) + noise).clip(0, 255).astype(np.uint8))


def overlaid(picture: Image.Image) -> Image.Image:
    """Slanted lines of two pixels over everything."""
    result = picture.copy()
    draw = ImageDraw.Draw(result)
    for x in range(-SIDE, SIDE, 14):
        draw.line((x, 0, x + SIDE // 3, SIDE), fill="black", width=2)
    return result


SPOILED: dict[str, Callable[[Image.Image], Image.Image]] = {
    "clean": lambda picture: picture,
    "blurred by 2 pixels": blurred(2),
    "blurred by 4 pixels": blurred(4),
    "shrunk to 256": shrunk(256),
    "shrunk to 160": shrunk(160),
    "noise": noisy,
    "overlaid with lines": overlaid,
}


def hits(reader: Reader, picture: Image.Image, page: Sequence[str]) -> list[bool]:
    """Which of a page's words were read."""
    read = {word for line in reader.read(picture, "en") for word in line.text.split()}
    return [word in read for word in page]


def report(asked: Sequence[str], spoiled_words: int, fonts: Sequence[str | None]) -> Iterator[str]:
    """The table, line by line, in Markdown."""
    readers: list[ReadOnce] = [
        ReadOnce(RapidReader(threads=2)),
        ReadOnce(TesseractReader()),
    ]  # with two its threads wait for each other
    for reader in readers:
        check_reader(reader, "en")
    names = " | ".join(reader.name for reader in readers)
    yield f"| {len(asked)} words clean, {spoiled_words} spoiled | {names} | they agree | seconds a picture |"
    for condition, spoil in SPOILED.items():
        chosen = asked if condition == "clean" else asked[:spoiled_words]
        pages = [chosen[first : first + COLUMNS * ROWS] for first in range(0, len(chosen), COLUMNS * ROWS)]
        pictures = [spoil(drawn(page, fonts[number % len(fonts)])) for number, page in enumerate(pages)]
        found: list[list[bool]] = []
        seconds: list[str] = []
        for reader in readers:
            start = time.perf_counter()
            found.append([hit for each in zip(pictures, pages, strict=True) for hit in hits(reader, *each)])
            seconds.append(f"{(time.perf_counter() - start) / len(pictures):.2f}")
        if condition == "clean":
            shifted = [pages[number - 1] for number in range(len(pages))]
            others = [
                [hit for each in zip(pictures, shifted, strict=True) for hit in hits(reader, *each)]
                for reader in readers
            ]
            told = " | ".join(f"{sum(each) / len(each):.3f}" for each in others)
            yield f"| clean, asked for the words of another picture | {told} | | |"
        shares = " | ".join(f"{sum(each) / len(each):.3f}" for each in found)
        agreement = sum(one == other for one, other in zip(*found, strict=True)) / len(chosen)
        yield f"| {condition} | {shares} | {agreement:.3f} | {', '.join(seconds)} |"


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.readers", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--words", type=int, default=1000, help="how many clean")
    parser.add_argument("--spoiled", type=int, default=200, help="how many of them spoiled in each way")
    parser.add_argument("--fonts", nargs="+", default=[None], help="TrueType files, instead of Pillow's own")
    arguments = parser.parse_args()
    for line in report(words(arguments.words), arguments.spoiled, arguments.fonts):
        tqdm.write(line)


if __name__ == "__main__":
    main()
