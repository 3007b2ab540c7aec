"""Pairs for editing from ComfyUI's input folder: in one folder, by names or by folders inside it, or in two."""

from pathlib import Path, PurePosixPath
from typing import Any

from .....zimage_core.data import holds_pairs, read_pair_folders, read_pairs
from .....zimage_core.nano.data.example_pairs import write_zorp_pairs
from ..input_folders import NO_FOLDER, files_state, folder_of, folder_of_input, folders_of_input
from .dataset import Dataset

DEFAULT = "shapes become zorps (built in)"
BUILT_IN = {DEFAULT: write_zorp_pairs}
IN_THE_FOLDER = "in the folder"
TARGET = "target"  # a folder beside those of sources


def folders() -> list[str]:
    """Names for a dropdown: those with pictures inside the input folder, and those that hold a folder of targets."""
    found = [PurePosixPath(each) for each in folders_of_input()]
    holding = [each.parent for each in found if each.name == TARGET and each.parent.name]
    return [NO_FOLDER, *BUILT_IN, *sorted({str(each) for each in (*found, *holding)})]


def source_folders() -> list[str]:
    """Names for a dropdown of where the pictures before lie."""
    return [IN_THE_FOLDER, *folders_of_input()]


def read(name: str, sources: str, instruction: str, side: int, vision: Any) -> Dataset:
    """The pairs of a folder, or of two. Raises ValueError with one sentence."""
    if name == NO_FOLDER:
        raise ValueError(
            "No folder of pairs is chosen to train on. Put one with pairs, such as fox.source.png and fox.target.png, "
            "and an instruction in fox.txt, into ComfyUI's input folder, press R, and pick it."
        )
    folder, instruction = folder_of(name, BUILT_IN), instruction.strip()
    if sources != IN_THE_FOLDER:
        examples = read_pair_folders([folder_of_input(sources)], folder, instruction)
    elif folder.is_dir() and not holds_pairs(folder):
        raise ValueError(
            f"{folder} holds no pairs, as no picture is named as a target. Name them fox.source.png and "
            "fox.target.png, or choose the folder of the pictures before as 'sources'."
        )
    else:
        examples = read_pairs(folder, instruction)
    return Dataset(name=name, examples=examples, side=side, vision=vision, is_built_in=name in BUILT_IN)


def state(name: str, sources: str) -> str:
    """Changes with the files of both folders, and of folders inside them."""
    chosen = [each for each in (name, sources) if each not in (NO_FOLDER, IN_THE_FOLDER, *BUILT_IN)]
    return " ".join(files_state(_files(folder_of_input(each))) for each in chosen)


def _files(folder: Path) -> list[Path]:
    return [file for file in folder.rglob("*") if file.is_file()]
