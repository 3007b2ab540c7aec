"""A picture file opened with every doubt: what it is, its pixels upright, or which kind of damage it has."""

import io
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from ...regular_file import irregularity
from ...rgb_picture import DEEP, as_rgb
from .identity import sha256

MOST_PIXELS = 100_000_000  # of a picture that is decoded; 50,000 x 50,000 would take 7.5 GB
ENDINGS = {
    "JPEG": (".jpg", ".jpeg"),
    "MPO": (".jpg", ".jpeg"),
    "PNG": (".png",),
    "WEBP": (".webp",),
    "BMP": (".bmp",),
    "GIF": (".gif",),
    "TIFF": (".tif", ".tiff"),
    "AVIF": (".avif",),
}
LOSSLESS = ("PNG", "BMP", "GIF", "TIFF")
IJG_LUMA_SUM = 3688  # of the luma table of Annex K of the JPEG standard, which libjpeg calls quality 50

Damage = (OSError, SyntaxError, ValueError, ArithmeticError, KeyError, IndexError, TypeError, EOFError, struct.error)


@dataclass(frozen=True, kw_only=True)
class Header:
    """What a file says of itself."""

    format: str
    mode: str  # Pillow's: RGB, CMYK, I;16, P
    bits: int  # per channel, in the file
    width: int  # pixels, upright
    height: int
    frames: int
    orientation: int  # EXIF's, 1 to 8
    date: str  # EXIF's, "" for none
    encoding_quality: float  # 1 for formats without loss; libjpeg's quality / 100; 0.9 for other lossy ones
    has_right_ending: bool


@dataclass(frozen=True, kw_only=True)
class Opened:
    """A picture, or a problem: its kind, a colon, and what was said about it."""

    header: Header | None = None
    picture: Image.Image | None = None  # upright RGB in 8 bits, the first frame
    problem: str = ""


def open_file(path: Path, content: bytes, most_pixels: int = MOST_PIXELS) -> Opened:
    """Decode the bytes of a file; whatever is wrong with it is told, never raised."""
    if not content:
        return Opened(problem="empty: the file has no bytes")
    try:
        return decoded(path, content, most_pixels)
    except UnidentifiedImageError:
        return Opened(problem="no picture: its bytes are of no picture format that can be read")
    except Image.DecompressionBombError as error:
        return Opened(problem=f"too many pixels: {error}")
    except Damage as error:
        words = " ".join(str(error).split()) or type(error).__name__
        return Opened(problem=f"{'truncated' if is_cut(words) else 'damaged'}: {words}")


def decoded(path: Path, content: bytes, most_pixels: int) -> Opened:
    """The same, raising what Pillow raises."""
    with Image.open(io.BytesIO(content)) as opened:
        if opened.width * opened.height > most_pixels:
            return Opened(
                problem=f"too many pixels: {opened.width}x{opened.height}, more than {most_pixels / 1e6:g} million"
            )
        header = header_of(opened, path)
        opened.seek(0)
        opened.load()
        return Opened(header=header, picture=as_rgb(ImageOps.exif_transpose(opened)))


def same_picture(path: str, digest: str, most_pixels: int) -> Image.Image | None:
    """The picture of a file, unless it has gone or its SHA-256 is another now."""
    content, problem = read_bytes(Path(path))
    if problem or sha256(content) != digest:
        return None
    return open_file(Path(path), content, most_pixels).picture


def read_bytes(path: Path) -> tuple[bytes, str]:
    """A file's bytes, or why there are none."""
    try:
        if why := irregularity(path):
            return b"", f"unreadable: it {why}"
        return path.read_bytes(), ""
    except OSError as error:
        return b"", f"unreadable: {error.strerror}"


def header_of(opened: Image.Image, path: Path) -> Header:
    """From an opened file that is not decoded yet."""
    exif = opened.getexif()
    orientation = exif.get(ExifTags.Base.Orientation, 1)
    orientation = orientation if isinstance(orientation, int) and 1 <= orientation <= 8 else 1
    width, height = opened.size if orientation < 5 else opened.size[::-1]
    taken = exif.get_ifd(ExifTags.IFD.Exif).get(ExifTags.Base.DateTimeOriginal) or exif.get(ExifTags.Base.DateTime)
    kind = opened.format or ""
    return Header(
        format=kind,
        mode=opened.mode,
        bits=bits_of(opened),
        width=width,
        height=height,
        frames=int(getattr(opened, "n_frames", 1)),
        orientation=orientation,
        date=taken if isinstance(taken, str) else "",
        encoding_quality=encoding_quality(opened),
        has_right_ending=path.suffix.lower() in ENDINGS.get(kind, (path.suffix.lower(),)),
    )


def bits_of(opened: Image.Image) -> int:
    """Bits per channel in the file, also where Pillow decodes sixteen to eight."""
    if opened.mode in ("1", "F"):
        return 1 if opened.mode == "1" else 32
    tiles: list[Any] = getattr(opened, "tile", [])
    raw = [str(part) for tile in tiles for part in (tile.args if isinstance(tile.args, tuple) else (tile.args,))]
    return 16 if opened.mode in DEEP or any("16" in part for part in raw) else 8


def encoding_quality(opened: Image.Image) -> float:
    """How little the file's encoding lost, 0 to 1, as far as its header tells.

    libjpeg scales the standard's table by s percent, s = 200 - 2q from quality 50 up and 5000 / q below: solved for q.
    """
    tables: dict[int, list[int]] = getattr(opened, "quantization", None) or {}
    if opened.format in ("JPEG", "MPO") and tables:
        percent = 100 * sum(next(iter(tables.values()))) / IJG_LUMA_SUM
        quality = (200 - percent) / 2 if percent <= 100 else 5000 / percent
        return min(1.0, max(0.01, quality / 100))
    return 1.0 if opened.format in LOSSLESS else 0.9


def is_cut(words: str) -> bool:
    """Whether an error speaks of a file that ends too early."""
    return any(sign in words.lower() for sign in ("truncated", "not enough", "end of file", "unexpected end"))
