"""`make pictures`: the README's animation. Nano draws a picture step by step, then changes it as it is told."""

import argparse
from collections.abc import Iterator
from pathlib import Path

import torch
from PIL import Image, ImageDraw, ImageFont

from zimage_core import generate
from zimage_core.checkpoints import load_vae
from zimage_core.request import model_folder
from zimage_core.sampling import Step
from zimage_core.vae import to_images

from ..comfyui import REPOSITORY

STORY = (  # the first is drawn from nothing, the others from the picture before
    "a large red heart in the middle on a white background",
    "make the heart blue",
    "把背景换成格子",
)
PICTURE, MARGIN, TITLE, ROW = 320, 24, 28, 60  # pixels
WIDTH = 2 * MARGIN + PICTURE + 420
TYPING, STEP, HELD = 60, 140, 1500  # milliseconds a frame is shown
PAPER, INK, PALE, BLUE = "#f6f8fa", "#1f2933", "#9aa5b1", "#2b5d80"

Frame = tuple[Image.Image, int]  # and its milliseconds


class Stage:
    """The page the story is told on: a picture, and beside it what was asked so far."""

    def __init__(self, font: Path) -> None:
        self.title, self.text = (ImageFont.truetype(str(font), size) for size in (TITLE, 20))
        self.picture = Image.new("RGB", (PICTURE, PICTURE), "white")
        self.asked: list[str] = []

    def show(self, picture: Image.Image) -> None:
        self.picture = picture.resize((PICTURE, PICTURE), Image.Resampling.NEAREST)

    def frame(self, note: str) -> Image.Image:
        """The page now, with a note under what was asked."""
        page = Image.new("RGB", (WIDTH, PICTURE + 2 * MARGIN), PAPER)
        page.paste(self.picture, (MARGIN, MARGIN))
        draw, left = ImageDraw.Draw(page), PICTURE + 2 * MARGIN
        draw.rectangle((MARGIN - 1, MARGIN - 1, MARGIN + PICTURE, MARGIN + PICTURE), outline=PALE)
        draw.text((left, MARGIN), "Z-Image nano", BLUE, self.title)
        for row, words in enumerate(self.asked):
            colour = INK if row == len(self.asked) - 1 else PALE
            top = MARGIN + 60 + row * ROW
            draw.text((left, top), "\n".join(wrapped(words, self.text, WIDTH - left - MARGIN)), colour, self.text)
        draw.text((left, PICTURE + MARGIN - 24), note, PALE, self.text)
        return page


def wrapped(words: str, font: ImageFont.FreeTypeFont, width: int) -> list[str]:
    """The words in lines no wider than `width` pixels, broken at spaces."""
    lines = [""]
    for word in words.split(" "):
        longer = f"{lines[-1]} {word}".strip()
        if font.getlength(longer) > width:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines


def tell(stage: Stage) -> Iterator[Frame]:
    """All frames: each request is typed, then drawn by as many steps as the sampler takes."""
    vae = load_vae(model_folder("nano") / "vae", torch.float32)
    pictures: list[Image.Image] = []
    for words in STORY:
        stage.asked.append("")
        for end in range(0, len(words) + 1, 1 if ord(words[0]) > 255 else 3):
            stage.asked[-1] = words[:end]
            yield stage.frame(""), TYPING
        stage.asked[-1] = words
        steps: list[Step] = []
        pictures = generate(words, references=pictures, on_step=steps.append)
        for step in steps:
            stage.show(to_images(vae.decode(step.denoised))[0])
            yield stage.frame(f"step {step.index + 1} of {len(steps)}"), STEP
        stage.show(pictures[0])
        yield stage.frame(""), HELD


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--font", type=Path, required=True, help="a TrueType font that has Chinese")
    parser.add_argument("--to", type=Path, default=REPOSITORY / "docs" / "nano.webp")
    arguments = parser.parse_args()
    with torch.inference_mode():
        frames, durations = zip(*tell(Stage(arguments.font)), strict=True)
    first, *others = frames
    first.save(arguments.to, save_all=True, append_images=others, duration=durations, loop=0, quality=80, method=4)
    print(f"{arguments.to}: {arguments.to.stat().st_size / 1000:.0f} kB, {len(frames)} frames")


if __name__ == "__main__":
    main()
