"""A built-in set of pairs for editing, written as a user would have them: shapes become zorps.

The new shape is that of `example_sets`, which nano has never seen, and so is its word. Every known shape is replaced
in some pair; everything else of a picture stays bit-equal.
"""

from pathlib import Path

from PIL import Image

from ...atomic_file import write_atomically, write_text
from .edits import Edit
from .example_sets import WORD, zorps
from .scenes import SHAPES, Scene


def zorp_pairs() -> list[Edit]:
    """Twenty edits, one for each picture of the new shape, with all known shapes in turn."""
    shapes = [shape for _ in zorps() for shape in SHAPES]
    return [_replaced(scene, shape) for scene, shape in zip(zorps(), shapes, strict=False)]


def instruction(edit: Edit) -> str:
    """The plain English instruction, with the new word for the new shape."""
    assert edit.before
    return f"replace the {edit.before.shape} with a {WORD}"


def write_zorp_pairs(folder: Path) -> None:
    """`000.source.png`, `000.target.png` and the instruction in `000.txt`, and so on."""
    folder.mkdir(parents=True, exist_ok=True)
    for index, edit in enumerate(zorp_pairs()):
        for role, picture in zip(("source", "target"), edit.render(index), strict=True):
            _save(picture, folder / f"{index:03}.{role}.png")
        write_text(folder / f"{index:03}.txt", instruction(edit))


def _replaced(scene: Scene, shape: str) -> Edit:
    """The edit that puts a scene's object into the place of a known shape."""
    after = scene.object
    before = Scene(**{**vars(scene), "shape": shape}).object
    return Edit(kind="replace", before=before, after=after, ground=scene.ground, new_ground=scene.ground)


def _save(picture: Image.Image, file: Path) -> None:
    write_atomically(file, lambda opened: picture.save(opened, format="PNG"))
