"""`make pictures`: draws the README's picture and the workflows' thumbnails with the built-in model."""

import argparse
import json
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
FIRST_PROMPTS = ("First prompt", "Picture to change", "Picture 1")  # titles of what draws the input picture
SHOWN = {
    "Z-Image Nano - arena": 2,
    "Z-Image Nano - choose what you like": 2,
}  # results of a workflow that one does not stand for
SIDE = 512  # pixels of a thumbnail, which the template browser shows at about 200
PLATE, CORNER = 112, 30  # pixels: the strip with the task's name, the one with what is needed
BLUE, GREY = "#2b5d80", "#e8edf1"


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


def drawn_pictures() -> dict[str, list[Image.Image]]:
    """By task, nano's result and then the picture it began with, from its workflows on a real ComfyUI."""
    pictures = {}
    with tempfile.TemporaryDirectory() as folder, running_server(Path(folder), Path(folder) / "output") as server:
        for path in sorted((REPOSITORY / "workflows").glob("Z-Image Nano - *.json")):
            results = run(server, path)[-SHOWN.get(path.stem, 1) :]
            nodes = json.loads(path.read_text("utf-8"))["nodes"]
            first = [node["widgets_values"][0] for node in nodes if node.get("title") in FIRST_PROMPTS]
            task = path.stem.removeprefix("Z-Image Nano - ")
            drawn = [Image.open(file).convert("RGB") for file in results]
            pictures[task] = [*drawn, *(generate(prompt, seed=7)[0] for prompt in first)]
    return pictures


def thumbnail(name: str, pictures: Sequence[Image.Image], font: Path) -> Image.Image:
    """Result left, what it began with right, the task's name below; without pictures the name alone."""
    model, task = name.removeprefix("Z-Image ").split(" - ")
    sheet = Image.new("RGB", (SIDE, SIDE), GREY)
    draw = ImageDraw.Draw(sheet)
    room = SIDE - PLATE - CORNER
    columns = len(pictures[:2]) or 1
    for index, picture in enumerate(pictures[:2]):
        width = SIDE // columns - MARGIN
        scale = min(width / picture.width, (room - MARGIN) / picture.height)
        shown = picture.resize((int(picture.width * scale), int(picture.height * scale)), Image.Resampling.NEAREST)
        left = index * SIDE // columns + (SIDE // columns - shown.width) // 2
        sheet.paste(shown, (left, (room - shown.height) // 2 + MARGIN // 2))
    top = room if pictures else 0
    draw.rectangle((0, top, SIDE, SIDE - CORNER), fill=BLUE)
    text, size = (f"{model}\n{task}" if not pictures else task), 84
    while draw.multiline_textbbox((0, 0), text, ImageFont.truetype(str(font), size))[2] > SIDE - 2 * MARGIN:
        if not pictures and text.count("\n") < 3 and " " in text.rpartition("\n")[2]:
            text = text.replace(" ", "\n", 1)
        else:
            size -= 4
    middle = SIDE // 2, (top + SIDE - CORNER) // 2
    text_font = ImageFont.truetype(str(font), size)
    draw.multiline_text(middle, text, fill="white", font=text_font, anchor="mm", align="center")
    said = "nano, built in" if model == "Nano" else f"needs {model}" + (" · drawn by nano" if pictures else "")
    corner = SIDE // 2, SIDE - CORNER // 2
    draw.text(corner, said, fill="black", font=ImageFont.truetype(str(font), 24), anchor="mm")
    return sheet


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--font", type=Path, required=True, help="a font with Latin and Chinese letters")
    font = parser.parse_args().font
    contact_sheet(font).save(REPOSITORY / "docs/nano.png", optimize=True)
    pictures = drawn_pictures()
    for path in sorted((REPOSITORY / "workflows").glob("*.json")):
        shown = pictures.get(path.stem.split(" - ")[1], [])
        thumbnail(path.stem, shown, font).save(path.with_suffix(".jpg"), quality=85)


if __name__ == "__main__":
    main()
