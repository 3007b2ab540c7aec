"""Small pictures of a folder for the page."""

from base64 import b64encode
from collections.abc import Mapping
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image, ImageOps

from ....zimage_core.regular_file import irregularity
from ....zimage_core.rgb_picture import as_rgb
from ..tasks.captioning.pictures import folder_of

SIDE = 128  # pixels of the longer side
REMEMBERED = 1000  # of about 3 kB
MOST = 100  # in one answer


def thumbnails(query: Mapping[str, Any]) -> dict[str, Any]:
    """{folder, names: one a line} -> {thumbnails: by name}, of files in a folder of the nodes' dropdowns."""
    folder = folder_of(str(query["folder"]))
    names = [name for name in str(query["names"]).splitlines() if name][:MOST]
    return {"thumbnails": {name: thumbnail(folder / name) for name in names if Path(name).name == name}}


def thumbnail(file: Path) -> str:
    """A picture shrunk, as a data URI; "" for what cannot be read."""
    try:
        changed = file.stat().st_mtime_ns
    except OSError:
        changed = 0
    return _thumbnail(str(file), changed)


@lru_cache(REMEMBERED)
def _thumbnail(file: str, changed: int) -> str:
    """A picture shrunk, as a data URI; "" for what cannot be read."""
    if irregularity(Path(file)):
        return ""
    try:
        with Image.open(file) as opened:
            opened.draft("RGB", (SIDE, SIDE))  # a JPEG is decoded small
            small = as_rgb(ImageOps.exif_transpose(opened))
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return ""
    small.thumbnail((SIDE, SIDE))
    written = BytesIO()
    small.save(written, format="WEBP", quality=80)
    return f"data:image/webp;base64,{b64encode(written.getvalue()).decode()}"
