"""The folder of an arena, or of one person's preferences, in ComfyUI's output folder, by the name the user gives it."""

import os
import re
from pathlib import Path
from typing import Any

import folder_paths

from .....zimage_core.evaluation.arena import Arena
from .....zimage_core.text import shortened
from ...loading import files

FOLDERS = {"arena": "zimage_arena", "preferences": "zimage_preferences"}  # by what is voted on
DEFAULT, PREFERENCES = "arena", "preferences"
PAIRS = ".jsonl"
LONGEST_NAME = 60
REFUSED = re.compile(r'[<>:"/\\|?*\x00-\x1f\x7f-\x9f\ud800-\udfff]')  # in names of files, on any system
RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)  # devices on Windows


def arena_of(name: str, kind: str = DEFAULT) -> Arena:
    """The arena of that name, which need not exist yet. Raises ValueError for what is no folder's name."""
    return Arena(Path(folder_paths.get_output_directory()) / FOLDERS[kind] / checked_name(name))


def checked_name(name: str) -> str:
    """The name without spaces around it. Raises ValueError for one that cannot be a folder's on every system."""
    name = name.strip()
    is_odd = REFUSED.search(name) or RESERVED.fullmatch(name) or name.startswith(".") or name.endswith(".")
    if not name or len(name) > LONGEST_NAME or is_odd:
        raise ValueError(
            f"'{shortened(name)}' cannot be a folder's name. Write up to {LONGEST_NAME} letters, digits, spaces, "
            "- or _, such as: turbo or base"
        )
    return name


def view_of(arena: Arena, picture: str) -> dict[str, str]:
    """The parameters with which ComfyUI's /view shows a picture."""
    folder, _, name = picture.rpartition("/")
    return {"filename": name, "subfolder": f"{arena.folder.parent.name}/{arena.folder.name}/{folder}", "type": "output"}


def votes_state(name: Any, kind: str = DEFAULT) -> str:
    """Changes with every vote; empty without any, and for a name that another node computes."""
    if not isinstance(name, str):
        return ""
    try:
        return files.file_state(str(arena_of(name, kind).votes_file))
    except (ValueError, OSError):
        return ""


def pairs_file(written: str) -> Path:
    """The file of a name in output/zimage_preferences, or of a path inside ComfyUI's output or input folder."""
    written = written.strip()
    if not written.endswith(PAIRS):
        return arena_of(written, PREFERENCES).votes_file
    roots = [Path(each()).resolve() for each in (folder_paths.get_output_directory, folder_paths.get_input_directory)]
    places = [Path(os.path.normpath(root / written)) for root in roots]
    inside = [place for place, root in zip(places, roots, strict=True) if place.is_relative_to(root)]
    if not inside:
        raise ValueError(
            f"The preferences {written!r} lie outside ComfyUI's output and input folders. Connect Z-Image Preference, "
            "or write the name of a folder in output/zimage_preferences."
        )
    return next((place for place in inside if place.is_file()), inside[0])


def pairs_state(written: Any) -> str:
    """Changes with the file; empty for what another node computes."""
    try:
        file = pairs_file(written)
        return f"{file.stat().st_mtime_ns} {file.stat().st_size}"
    except (AttributeError, ValueError, OSError):
        return ""
