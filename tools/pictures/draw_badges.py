"""Draws the Registry's icon and banner with the built-in model: docs/icon.png and docs/banner.png."""

from collections.abc import Sequence

from PIL import Image

from zimage_core import generate

from ..comfyui import REPOSITORY

TILE = 192  # pixels
CROP = (8, 8, 56, 56)  # of nano's 64 x 64 pixels; each pixel becomes four by four, to stay visible
SEED = 0

COLORS = ("red", "orange", "yellow", "green", "cyan", "blue", "purple")
SHAPES = ("heart", "star", "ring")
BACKGROUNDS = ("in the sky", "on a white background", "on a black background")

ICON = (
    "a large yellow star in the middle on a black background",
    "a large cyan ring in the middle on a black background",
    "a large green triangle in the middle on a black background",
    "a large pink heart in the middle on a black background",
)
BANNER = tuple(  # seven by three squares: the Registry requires 21:9
    f"a large {colour} {SHAPES[(row + column) % len(SHAPES)]} in the middle {background}"
    for row, background in enumerate(BACKGROUNDS)
    for column, colour in enumerate(COLORS)
)


def grid(prompts: Sequence[str], columns: int) -> Image.Image:
    """Nano's pictures of the prompts in a grid without gaps."""
    sheet = Image.new("RGB", (columns * TILE, len(prompts) // columns * TILE))
    for index, prompt in enumerate(prompts):
        picture = generate(prompt, seed=SEED)[0].resize((TILE, TILE), Image.Resampling.NEAREST, box=CROP)
        sheet.paste(picture, (index % columns * TILE, index // columns * TILE))
    return sheet


def main() -> None:
    """Draw both."""
    grid(ICON, 2).save(REPOSITORY / "docs/icon.png", optimize=True)
    grid(BANNER, len(COLORS)).save(REPOSITORY / "docs/banner.png", optimize=True)


if __name__ == "__main__":
    main()
