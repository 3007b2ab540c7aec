"""Small sets for what a recipe shows beside plain pictures: several sizes, captions of every kind, edits.

And the names under which recipes know every set that is drawn to train on.
"""

import json
import random
from collections.abc import Callable, Iterable
from itertools import cycle
from pathlib import Path

from PIL import Image

from ...atomic_file import write_atomically, write_text
from .captions import LANGUAGES
from .edit_captions import plain_instruction
from .edits import KINDS, Edit, training_edit
from .example_pairs import write_zorp_pairs
from .example_sets import write_scenes, write_zorps
from .picture_captions import KINDS as CAPTION_KINDS
from .picture_captions import picture_caption
from .render import render
from .scene_captions import composition_caption
from .scenes import training_scenes

PICTURE_SIZES = ((64, 64), (80, 64), (64, 80), (112, 64), (96, 96))  # width and height
N_SIZES, N_EDITS = 80, 96


def write_sizes(folder: Path) -> None:
    """What nano knows in several sizes and shapes, with captions of five kinds in both languages."""
    rng, sizes = random.Random(4), cycle(PICTURE_SIZES)
    folder.mkdir(parents=True, exist_ok=True)
    for index, scene in enumerate(rng.sample(training_scenes(), N_SIZES)):
        _save(render(scene, index, next(sizes)), folder / f"{index:03}.png")
        captions = {
            language: {kind: picture_caption(scene, kind, language, rng) for kind in CAPTION_KINDS}
            for language in LANGUAGES
        }
        _write_captions(folder / f"{index:03}.json", captions)


def write_edits(folder: Path) -> None:
    """Pairs: what was there, what became of it, instructions in both languages, and what the result shows."""
    rng, kinds = random.Random(5), cycle(KINDS)
    folder.mkdir(parents=True, exist_ok=True)
    for index in range(N_EDITS):
        edit = training_edit(rng, next(kinds))
        for role, picture in zip(("source", "target"), edit.render(index), strict=True):
            _save(picture, folder / f"{index:03}.{role}.png")
        _write_captions(folder / f"{index:03}.json", [*_instructions(edit), *_results(edit, rng)])


DRAWN: dict[str, Callable[[Path], None]] = {  # names that stand for a folder
    "nano:zorps": write_zorps,
    "nano:zorp_pairs": write_zorp_pairs,
    "nano:scenes": write_scenes,
    "nano:sizes": write_sizes,
    "nano:edits": write_edits,
}


def _instructions(edit: Edit) -> Iterable[str]:
    return (plain_instruction(edit, language).text for language in LANGUAGES)


def _results(edit: Edit, rng: random.Random) -> Iterable[str]:
    return (composition_caption(edit.target, "medium", language, rng) for language in LANGUAGES)


def _write_captions(file: Path, captions: object) -> None:
    write_text(file, json.dumps({"caption": captions}, ensure_ascii=False))


def _save(picture: Image.Image, file: Path) -> None:
    write_atomically(file, lambda opened: picture.save(opened, format="PNG"))
