"""Folders of pictures that a node takes: those inside ComfyUI's input folder, and sets that are drawn for nano."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import folder_paths

from ....zimage_core.data import is_picture

NO_FOLDER = "none"
PLACE = "zimage_datasets"  # of sets drawn to train on, in the temp folder

BuiltIn = Mapping[str, Callable[[Path], None]]  # what draws a set into a folder, by the set's name


def folder_names(built_in: BuiltIn) -> list[str]:
    """For a dropdown."""
    return [NO_FOLDER, *built_in, *folders_of_input()]


def folders_of_input() -> list[str]:
    """Folders with pictures inside the input folder, as paths below it."""
    root = Path(folder_paths.get_input_directory())
    inside = sorted(each for each in root.glob("**/") if each != root)
    return [each.relative_to(root).as_posix() for each in inside if any(map(is_picture, each.iterdir()))]


def folder_of(name: str, built_in: BuiltIn, place: Path | None = None) -> Path:
    """The folder of a name. A built-in set is drawn into `place`, else into the temp folder, emptied at starts."""
    if name not in built_in:
        return folder_of_input(name)
    place = place or Path(folder_paths.get_temp_directory()) / PLACE
    drawn = place / name.partition(" (")[0].replace(" ", "_")
    built_in[name](drawn)
    return drawn


def folder_of_input(name: str) -> Path:
    """The folder of a name, which cannot lead out of the input folder."""
    root = Path(folder_paths.get_input_directory()).resolve()
    place = (root / name).resolve()
    if not place.is_relative_to(root):
        raise ValueError(f"The folder {name!r} lies outside ComfyUI's input folder. Pick one inside it.")
    return place


def files_state(files: Iterable[Path]) -> str:
    """Changes with names, times and sizes."""
    return " ".join(f"{file.name} {file.stat().st_mtime_ns} {file.stat().st_size}" for file in sorted(files))
