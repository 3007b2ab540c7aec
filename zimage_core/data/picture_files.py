"""Which files of a folder are pictures."""

from pathlib import Path

PICTURE_ENDINGS = (".png", ".webp", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".avif")


def is_picture(file: Path) -> bool:
    """Whether a file is named as a picture; hidden ones, such as macOS's ._fox.png, are not."""
    return file.suffix.lower() in PICTURE_ENDINGS and not file.name.startswith(".")
