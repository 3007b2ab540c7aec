"""Small sets of pictures, written as a user would have them.

Two to train with have a text beside each picture. One shows a shape that nano has never seen, a cross, under a word
that stands in none of its captions; a LoRA can learn it in minutes. The other shows what nano knows, so that it is not
forgotten meanwhile. Two to caption have none: pictures, and edits of pictures. One is as messy as folders are: pictures
in one style, with copies, broken files and a failed shot among them.
"""

import io
import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import TypeVar

from PIL import Image, ImageOps

from ...atomic_file import write_atomically, write_text
from .captions import plain_caption, training_caption
from .render import render
from .scenes import COLOURS, COLUMNS, GROUNDS, ROWS, SIZES, Scene, training_scenes

WORD, KNOWN_WORD = "zorp", "heart"
N_ZORPS, N_SCENES = 20, 120
N_UNTOLD, N_EDITED, N_MESSY = 24, 4, 24
N_PROMPTS = 1000
SEAL = (225, 35, 35)
UNSEEN_COLOURS = ("orange", "purple")  # no picture of the new shape has them
SEEN_COLOURS = tuple(colour for colour in COLOURS if colour not in UNSEEN_COLOURS)

Kind = TypeVar("Kind")


def zorps() -> list[Scene]:
    """Twenty scenes of the new shape, in which every size stands on every ground, and colours and places are shared out
    evenly: what a set leaves out, such as small ones on black, is not learned.
    """
    rng = random.Random(1)

    def evenly(values: Iterable[Kind]) -> list[Kind]:
        kinds = list(values)
        return [each for _ in range(-(-N_ZORPS // len(kinds))) for each in rng.sample(kinds, len(kinds))][:N_ZORPS]

    parts = zip(evenly(product(SIZES, GROUNDS)), evenly(SEEN_COLOURS), evenly(product(ROWS, COLUMNS)), strict=True)
    return [
        Scene(shape="cross", colour=colour, size=size, row=row, column=column, ground=ground)
        for (size, ground), colour, (row, column) in parts
    ]


def say(scene: Scene) -> str:
    """The plain English caption, with the new word for the new shape."""
    return plain_caption(replace(scene, shape=KNOWN_WORD), "en").replace(KNOWN_WORD, WORD)


def write_zorps(folder: Path) -> None:
    """Twenty pictures of the new shape."""
    write_pictures(folder, zorps(), render, say)


def write_scenes(folder: Path) -> None:
    """Pictures of what nano knows, with captions in both languages."""
    rng = random.Random(1)
    write_pictures(folder, rng.sample(training_scenes(), N_SCENES), render, lambda scene: training_caption(scene, rng))


def training_prompts() -> list[str]:
    """Captions of scenes that nano was trained on, in both languages."""
    rng = random.Random(4)
    return [training_caption(scene, rng) for scene in rng.sample(training_scenes(), N_PROMPTS)]


def write_untold(folder: Path) -> None:
    """Pictures of what nano knows, without captions; those that are there already stay as they are."""
    for index, scene in enumerate(random.Random(2).sample(training_scenes(), N_UNTOLD)):
        _draw_new(scene, index, folder / f"{index + 1:02}.png")


def write_edited(folder: Path) -> None:
    """Pictures in three versions each: as it was, in another colour, on another ground; without captions."""
    rng = random.Random(3)
    for index, scene in enumerate(rng.sample(training_scenes(), N_EDITED)):
        colour = rng.choice([each for each in COLOURS if each != scene.colour])
        ground = rng.choice([each for each in GROUNDS if each != scene.ground])
        versions = (scene, replace(scene, colour=colour), replace(scene, ground=ground))
        for number, version in enumerate(versions, 1):
            _draw_new(version, index, folder / f"{scene.shape}{index + 1}_{number}.png")


def write_messy(folder: Path) -> None:
    """Pictures of what nano knows, signed with a red seal, and what gathers in a folder: see `MESS`.

    Those that are there already stay as they are.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for index, scene in enumerate(random.Random(5).sample(training_scenes(), N_MESSY), 1):
        clean = as_png(signed(render(scene, index)))
        name, spoil = MESS.get(index, ("", None))
        _write_new(folder / f"{index:02}.png", clean)
        if spoil:
            _write_new(folder / name, spoil(clean))


def signed(picture: Image.Image) -> Image.Image:
    """A picture with a red seal in its lower right corner, too small to count as a shape."""
    marked = picture.convert("RGB")
    marked.paste(SEAL, (marked.width - 6, marked.height - 6, marked.width - 1, marked.height - 1))
    return marked


def as_png(picture: Image.Image) -> bytes:
    """A file's content."""
    stored = io.BytesIO()
    picture.save(stored, "PNG")
    return stored.getvalue()


def as_picture(content: bytes) -> Image.Image:
    """What a file shows."""
    return Image.open(io.BytesIO(content)).convert("RGB")


def as_jpeg(content: bytes) -> bytes:
    """The picture of a file compressed with loss."""
    stored = io.BytesIO()
    as_picture(content).save(stored, "JPEG", quality=70)
    return stored.getvalue()


def cropped(content: bytes) -> bytes:
    """Without a twentieth of its width and height, enlarged to its size again."""
    picture = as_picture(content)
    left, top = (side // 20 for side in picture.size)
    kept = picture.crop((left, top, *picture.size))
    return as_png(kept.resize(picture.size, Image.Resampling.BICUBIC))


# By the number of the picture it was made of: a file's name, and its content.
MESS: dict[int, tuple[str, Callable[[bytes], bytes]]] = {
    2: ("02 copy.png", lambda content: content),
    5: ("IMG_0005.jpg", as_jpeg),
    8: ("08_mirrored.png", lambda content: as_png(ImageOps.mirror(as_picture(content)))),
    11: ("11_cropped.png", cropped),
    14: ("unfinished download.png", lambda content: content[: len(content) // 2]),
    17: ("empty.png", lambda _content: b""),
    20: ("lens cap.png", lambda content: as_png(Image.new("RGB", as_picture(content).size, (3, 2, 2)))),
}


def _write_new(file: Path, content: bytes) -> None:
    if not file.exists():
        write_atomically(file, lambda opened: opened.write(content))


def _draw_new(scene: Scene, seed: int, file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    if not file.exists():
        _save(render(scene, seed), file)


def write_pictures(
    folder: Path,
    scenes: Sequence[Scene],
    draw: Callable[[Scene, int | None], Image.Image],
    words: Callable[[Scene], str],
) -> None:
    """Pictures of scenes, jittered, each with a text of the same name beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    for index, scene in enumerate(scenes):
        _save(draw(scene, index), folder / f"{index:03}.png")
        write_text(folder / f"{index:03}.txt", words(scene))


def _save(picture: Image.Image, file: Path) -> None:
    write_atomically(file, lambda opened: picture.save(opened, format="PNG"))
