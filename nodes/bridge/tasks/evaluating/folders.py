"""Folders that an artist names: below ComfyUI's input folder, else below its models folder."""

import os
from collections.abc import Iterator
from pathlib import Path

import folder_paths


def named_folder(name: str, holds: str) -> Path:
    """The folder of that name; ValueError where there is none, or where it leads elsewhere."""
    for root in (folder_paths.get_input_directory(), folder_paths.models_dir):
        found = Path(os.path.normpath(Path(root) / name.strip()))
        if "\0" not in name and found.is_relative_to(os.path.normpath(root)) and found.is_dir():
            return found
    raise ValueError(
        f"There is no folder {name!r} in ComfyUI's input folder, nor in its models folder. Put one with {holds} there, "
        "and write its name."
    )


def state(folder: Path) -> str:
    """Changes with the files in a folder and below it."""
    states = [file.stat() for file in files_below(folder)]
    newest = max((each.st_mtime_ns for each in states), default=0)
    return f"{len(states)} {sum(each.st_size for each in states)} {newest}"


def files_below(folder: Path) -> Iterator[Path]:
    """All its files, dead links left out."""
    for root, _, names in os.walk(folder):
        yield from (file for name in names if (file := Path(root) / name).exists())


def state_of(*names: str) -> str:
    """The states of those named folders that are there."""
    roots = (folder_paths.get_input_directory(), folder_paths.models_dir)
    places = [Path(root) / name.strip() for name in names if name.strip() and "\0" not in name for root in roots]
    return "; ".join(state(place) for place in places if place.is_dir())
