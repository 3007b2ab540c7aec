"""Pictures of every mode and depth as 8-bit RGB."""

from typing import cast

from PIL import Image

DEEP = ("I", "I;16", "I;16B", "I;16L", "F")  # modes beyond 8 bits, which Pillow would cut off at 255


def as_rgb(picture: Image.Image) -> Image.Image:
    """Eight bits a channel, on white."""
    if picture.mode in DEEP:
        low, high = cast(tuple[float, float], picture.convert("F").getextrema())
        most = 65535 if high > 255 else 255 if high > 1 or low < 0 else 1
        return picture.convert("F").point(lambda level: level * (255 / most)).convert("L").convert("RGB")
    if picture.has_transparency_data:
        white = Image.new("RGBA", picture.size, "white")
        return Image.alpha_composite(white, picture.convert("RGBA")).convert("RGB")
    return picture.convert("RGB")
