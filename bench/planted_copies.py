"""Pictures by nano's renderer with planted copies, so that what a search for copies must find is known.

Originals are scenes of which none is another's mirror image; each copy is of one kind.
"""

import io
import random
from collections.abc import Callable
from pathlib import Path

from PIL import Image, ImageOps

from zimage_core.nano.data.render import render
from zimage_core.nano.data.scenes import every_scene

SIDE = 128  # pixels
CROPPED = 0.05  # of each side
ENDINGS = {"recompressed": ".jpg", "cropped": ".png", "mirrored": ".png", "captioned": ".png"}
KINDS = tuple(ENDINGS)


def plant(folder: Path, originals: int, copies: int, seed: int = 0) -> dict[str, str]:
    """Write originals, and copies of the first of them, the kinds in turn; each copy's file name and its original's."""
    rng = random.Random(seed)
    scenes = [scene for scene in every_scene() if scene.column != "right"]
    rng.shuffle(scenes)
    truth: dict[str, str] = {}
    for number, scene in enumerate(scenes[:originals]):
        name, picture = f"{number:05d}.png", render(scene, number, (SIDE, SIDE))
        picture.save(folder / name)
        if number < copies:
            kind = KINDS[number % len(KINDS)]
            copy = f"{number:05d} {kind}{ENDINGS[kind]}"
            truth[copy] = name
            (folder / copy).write_bytes(copy_of(kind, picture, (folder / name).read_bytes(), rng))
            (folder / copy).with_suffix(".txt").write_text(f"another caption of {number}")
    return truth


def copy_of(kind: str, picture: Image.Image, content: bytes, rng: random.Random) -> bytes:
    """The bytes of a copy."""
    if kind == "captioned":
        return content
    changes: dict[str, Callable[[], Image.Image]] = {
        "recompressed": lambda: picture,
        "cropped": lambda: cropped(picture, rng),
        "mirrored": lambda: ImageOps.mirror(picture),
    }
    stored = io.BytesIO()
    changed = changes[kind]()
    if kind == "recompressed":
        changed.save(stored, "JPEG", quality=rng.randint(50, 90))
    else:
        changed.save(stored, "PNG")
    return stored.getvalue()


def cropped(picture: Image.Image, rng: random.Random) -> Image.Image:
    """Without 5 % of width and height, from wherever."""
    less = round(CROPPED * picture.width)
    left, top = rng.randint(0, less), rng.randint(0, less)
    return picture.crop((left, top, left + picture.width - less, top + picture.height - less))
