"""A reader is believed once it has read a sample: one that silently finds nothing would give 0 to every picture."""

from functools import cache
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from ..score import Request
from .overlap import overlap
from .reader import Reader, ReaderError

ENGLISH = "OPEN until nine"
CHINESE = "\u6625\u5929\u6765\u4e86"  # its picture comes with the package, as not every machine has such a font
SIDE, LETTER = 320, 30  # pixels


@cache
def sample(language: str) -> tuple[Image.Image, str]:
    """A picture of black text on white, and the text."""
    if language == "zh":
        with Image.open(Path(__file__).with_name("sample_zh.png")) as stored:
            return stored.convert("RGB"), CHINESE
    picture = Image.new("RGB", (SIDE, SIDE // 2), "white")
    font = ImageFont.load_default(LETTER)
    ImageDraw.Draw(picture).text((SIDE / 2, SIDE / 4), ENGLISH, font=font, fill="black", anchor="mm")
    return picture, ENGLISH


def check_reader(reader: Reader, language: str) -> None:
    """Raise `ReaderError` unless the reader reads the sample of a language without a mistake."""
    picture, text = sample(language)
    read = [line.text for line in reader.read(picture, language)]
    if overlap(Request(lettering=(text,), language=language), read).value != 1:
        raise ReaderError(
            f"{reader.name} is not believed: it was shown {text!r} in clean black letters and read {' '.join(read)!r}"
        )
