"""`make pictures`: draws the README's picture and the workflows' thumbnails with the built-in model."""

import argparse
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from zimage_core import generate

from ..comfyui import REPOSITORY, running_server
from ..run_workflow import run

TILE, MARGIN, CAPTION = 192, 12, 44  # pixels
PROMPTS = (
    "a large red heart in the middle on a white background",
    "a small yellow star at the top right in the sky",
    "a large blue ring on the left on a chessboard",
    "a big green triangle at the bottom on stripes",
    "黑色背景上中间有一个大粉色星星",
    "天空背景，大黄色圆形，右上角",
    "灰色背景上左下角有一个大橙色正方形",
    "格子背景上右边有一个大青色爱心",
)
EDITS = (  # of the first row's pictures
    "make the heart blue",
    "move the star to the bottom left",
    "把背景换成白色",
    "replace the triangle with a circle",
)
COLUMNS = len(EDITS)
THUMBNAILS = {
    "Z-Image Nano - text to image": PROMPTS[0],
    "Z-Image Nano - image to image": "a large red star on the left on a grey background",
}
ON_COMFYUI = (
    "Z-Image Nano - inpaint",
    "Z-Image Nano - outpaint",
    "Z-Image Nano - faster",
    "Z-Image Nano - App mode",
)  # `generate` alone cannot draw what these show
INPUTS_AND_RESULT = (
    "Z-Image Nano - edit",
    "Z-Image Nano - edit with three pictures",
)  # the input pictures beside the result


def enlarge(picture: Image.Image, side: int) -> Image.Image:
    """A square picture scaled up, its pixels kept visible."""
    return picture.resize((side, side), Image.Resampling.NEAREST)


def wrap(text: str, text_font: ImageFont.FreeTypeFont) -> str:
    """Break a text wider than a picture into two lines; Chinese has no spaces to break at."""
    if text_font.getlength(text) <= TILE:
        return text
    middle = len(text) // 2
    at = min((i for i, letter in enumerate(text) if letter == " "), key=lambda i: abs(i - middle), default=middle)
    return f"{text[:at]}\n{text[at:].strip()}"


def captioned_pictures() -> Iterator[tuple[str, Image.Image]]:
    """Captions and pictures row by row: the first prompts, edits of their pictures, the other prompts."""
    pictures = [generate(prompt, seed=index)[0] for index, prompt in enumerate(PROMPTS)]
    edited = [generate(words, references=[before])[0] for words, before in zip(EDITS, pictures, strict=False)]
    yield from zip(PROMPTS[:COLUMNS], pictures, strict=False)
    yield from zip((f"→ {words}" for words in EDITS), edited, strict=True)
    yield from zip(PROMPTS[COLUMNS:], pictures[COLUMNS:], strict=True)


def contact_sheet(font: Path) -> Image.Image:
    """Every picture with its prompt below."""
    rows = -(-(len(PROMPTS) + len(EDITS)) // COLUMNS)
    cell = TILE + MARGIN, TILE + CAPTION + MARGIN
    sheet = Image.new("RGB", (COLUMNS * cell[0] + MARGIN, rows * cell[1] + MARGIN), "white")
    draw = ImageDraw.Draw(sheet)
    text_font = ImageFont.truetype(str(font), 14)
    for index, (prompt, picture) in enumerate(captioned_pictures()):
        left, top = MARGIN + index % COLUMNS * cell[0], MARGIN + index // COLUMNS * cell[1]
        sheet.paste(enlarge(picture, TILE), (left, top))
        draw.multiline_text((left, top + TILE + 4), wrap(prompt, text_font), fill="black", font=text_font)
    return sheet


def workflow_thumbnails() -> Iterator[tuple[str, Image.Image]]:
    """Run workflows on a real ComfyUI; yields each one's name and thumbnail, 256 pixels high."""
    with tempfile.TemporaryDirectory() as folder, running_server(Path(folder), Path(folder) / "output") as server:
        for workflow in (*ON_COMFYUI, *INPUTS_AND_RESULT):
            files = run(server, REPOSITORY / f"workflows/{workflow}.json")
            shown = files if workflow in INPUTS_AND_RESULT else files[-1:]
            yield workflow, side_by_side([Image.open(file).convert("RGB") for file in shown])


def side_by_side(pictures: Sequence[Image.Image]) -> Image.Image:
    """Pictures of one size side by side, 256 pixels high."""
    width = 256 * pictures[0].width // pictures[0].height
    row = Image.new("RGB", (len(pictures) * (width + MARGIN) - MARGIN, 256), "white")
    for index, picture in enumerate(pictures):
        row.paste(picture.resize((width, 256), Image.Resampling.NEAREST), (index * (width + MARGIN), 0))
    return row


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--font", type=Path, required=True, help="a font with Latin and Chinese letters")
    font = parser.parse_args().font
    contact_sheet(font).save(REPOSITORY / "docs/nano.png", optimize=True)
    for workflow, prompt in THUMBNAILS.items():
        enlarge(generate(prompt, seed=7)[0], 256).save(REPOSITORY / f"workflows/{workflow}.jpg", quality=90)
    for workflow, thumbnail in workflow_thumbnails():
        thumbnail.save(REPOSITORY / f"workflows/{workflow}.jpg", quality=90)


if __name__ == "__main__":
    main()
