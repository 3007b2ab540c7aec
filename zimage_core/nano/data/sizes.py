"""Sizes of pictures in five aspect ratios, 64 to 128 pixels, and a few that training leaves out."""

from .render import Size

RATIOS: dict[str, tuple[Size, ...]] = {  # width and height; every side is whole patches of 16 pixels
    "1:1": ((64, 64), (80, 80), (96, 96), (112, 112), (128, 128)),
    "5:4": ((80, 64), (64, 80)),
    "4:3": ((128, 96), (96, 128)),
    "3:2": ((96, 64), (64, 96)),
    "2:1": ((128, 64), (64, 128)),
}
TRAINED_SIZES = tuple(size for sizes in RATIOS.values() for size in sizes)
OTHER_SIZES: tuple[Size, ...] = ((112, 80), (112, 128))  # for judging alone


def size_name(size: Size) -> str:
    """As people write it: 128x64."""
    return f"{size[0]}x{size[1]}"
