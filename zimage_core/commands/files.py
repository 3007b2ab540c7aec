"""Files a command reads and writes: pictures in, one picture out, at once or not at all."""

import tempfile
from pathlib import Path

from PIL import Image

from ..atomic_file import write_atomically
from ..html_page import is_page
from ..regular_file import irregularity


def check_out(out: Path, kind: str = "pictures", ending: str = ".png") -> None:
    """Refuse a file that could not be written, before anything is computed for it."""
    if out.suffix.lower() != ending:
        raise ValueError(f"{out} cannot be written: {kind} are saved as {ending}")
    if not out.parent.is_dir():
        raise ValueError(f"{out} cannot be written: there is no folder {out.parent}")
    if out.is_dir():
        raise ValueError(f"{out} cannot be written: it is a folder")
    try:
        with tempfile.TemporaryFile(dir=out.parent):
            pass
    except OSError as error:
        raise ValueError(f"{out} cannot be written: {error.strerror} in {out.parent}") from error


def check_page(out: Path) -> None:
    """Refuse a page that could not be written, or would replace one that is not ours."""
    check_out(out, "pages", ".html")
    if out.exists() and (irregularity(out) or not is_page(out)):
        raise ValueError(f"{out} cannot be written: a page is there that is not from here; move it, or give another")


def open_picture(file: Path) -> Image.Image:
    """A picture as RGB, read completely."""
    if why := irregularity(file):
        raise ValueError(f"{file} cannot be read as a picture (it {why}); choose another")
    try:
        with Image.open(file) as opened:
            return opened.convert("RGB")
    except FileNotFoundError:
        raise
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise ValueError(f"{file} cannot be read as a picture ({error}); choose another") from error


def save_picture(picture: Image.Image, out: Path) -> None:
    """No half picture is ever there, and an old one stays until the new one is complete."""
    write_atomically(out, lambda file: picture.save(file, format="PNG"))
