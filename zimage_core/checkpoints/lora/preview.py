"""The picture of a LoRA, small: one that lies beside its file, or one in the file's own header.

Beside `name.safetensors` managers leave `name.preview.png` or `name.png`. In the header it is a data URI in
`modelspec.thumbnail` (github.com/Stability-AI/ModelSpec) or base64 in the JSON list `ssmd_cover_images`. These are
files and texts from the web: what is no picture of a common kind, or too large to be shown small, is passed over.
"""

import base64
import binascii
import json
from collections.abc import Iterator, Mapping
from io import BufferedReader, BytesIO
from pathlib import Path

from PIL import Image

from ...regular_file import irregularity

SIDE = 256  # pixels of the longer side, at most
ENDINGS = tuple(f"{part}.{kind}" for part in (".preview", "") for kind in ("png", "jpg", "jpeg", "webp"))
KINDS = ("PNG", "JPEG", "WEBP")
MOST_BYTES = 32 * 2**20  # of a file beside
MOST_PIXELS = 64 * 2**20
THUMBNAIL, COVERS = "modelspec.thumbnail", "ssmd_cover_images"
DATA_URI = "data:image/"


def preview(file: Path, metadata: Mapping[str, str]) -> bytes | None:
    """A LoRA's picture as a small WebP; None where there is none that can be read."""
    for source in _sources(file, metadata):
        with source:
            if small := _small(source):
                return small
    return None


def _sources(file: Path, metadata: Mapping[str, str]) -> Iterator[BytesIO | BufferedReader]:
    """Candidates, the nearest first."""
    for picture in (file.with_name(file.stem + ending) for ending in ENDINGS):
        if _is_beside(picture, file):
            yield picture.open("rb")
    texts = [metadata.get(THUMBNAIL, "").partition(",")[2]] if metadata.get(THUMBNAIL, "").startswith(DATA_URI) else []
    yield from (BytesIO(_decoded(text)) for text in [*texts, *_covers(metadata.get(COVERS, ""))])


def _is_beside(picture: Path, file: Path) -> bool:
    """Whether a picture is a file of a possible size in the folder of the LoRA, not a link out of it."""
    try:
        return (
            irregularity(picture) is None
            and picture.stat().st_size <= MOST_BYTES
            and picture.resolve().parent == file.parent.resolve()
        )
    except OSError:
        return False


def _covers(text: str) -> list[str]:
    """The base64 texts of a JSON list; none for anything else."""
    try:
        covers: object = json.loads(text or "[]")
    except (ValueError, RecursionError):
        return []
    return [each for each in covers if isinstance(each, str)] if isinstance(covers, list) else []


def _decoded(text: str) -> bytes:
    """Bytes of a base64 text; none for anything else."""
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""


def _small(source: BytesIO | BufferedReader) -> bytes | None:
    """A picture shrunk to `SIDE`, as WebP; None for what is none, or has more than `MOST_PIXELS`."""
    try:
        with Image.open(source, formats=KINDS) as picture:
            if picture.width * picture.height > MOST_PIXELS:
                return None
            picture.draft("RGB", (SIDE, SIDE))  # a JPEG is decoded small
            is_opaque = "A" not in picture.getbands() and "transparency" not in picture.info
            shrunk = picture.convert("RGB" if is_opaque else "RGBA")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None
    shrunk.thumbnail((SIDE, SIDE))
    written = BytesIO()
    shrunk.save(written, format="WEBP", quality=80)
    return written.getvalue()
