"""The user's own wildcards and styles: text files in ComfyUI's user folder, which are only read.

A wildcard is found by its name among the files that are there; no path is ever made of what a prompt says.
"""

import logging
import os
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path

import folder_paths

from ....zimage_core.regular_file import irregularity
from ....zimage_core.text.choices import WILDCARD_NAME
from ....zimage_core.text.styles import Style, built_in_styles, by_name, styles_from_csv, styles_from_json
from .files import file_state

LOGGER = logging.getLogger("zimage")
WILDCARDS = "wildcards"
FOLDERS = "user/zimage/wildcards and models/wildcards"
ReadStyles = Callable[[str], list[Style]]
STYLE_FILES: dict[str, ReadStyles] = {"styles.csv": styles_from_csv, "styles.json": styles_from_json}
MOST_BYTES = 4 << 20  # of a file
MOST_NAMES = 20  # in a sentence


def user_folder() -> Path:
    """Where the user's prompt files lie."""
    return Path(folder_paths.get_user_directory()) / "zimage"


def wildcard_files() -> dict[str, Path]:
    """The wildcard files by name, without their ending and with / between folders; the user folder goes first."""
    extra, _ = folder_paths.folder_names_and_paths.get(WILDCARDS, ([], set()))
    folders = (user_folder() / WILDCARDS, Path(folder_paths.models_dir) / WILDCARDS, *map(Path, extra))
    found: dict[str, Path] = {}
    for folder in folders:
        for file in _text_files(folder):
            name = file.relative_to(folder).with_suffix("").as_posix()
            if WILDCARD_NAME.fullmatch(name):
                found.setdefault(name, file)
    return found


def _text_files(folder: Path) -> Iterator[Path]:
    for place, folders, names in os.walk(folder):
        folders.sort()
        yield from (Path(place, name) for name in sorted(names) if name.lower().endswith(".txt"))


def wildcard_lines(name: str) -> list[str]:
    """The lines of a wildcard file; empty ones and those that begin with # are left out. Raises ValueError."""
    files = wildcard_files()
    if name not in files:
        raise ValueError(f"There is no wildcard file {name}.txt: {_names(list(files))}.")
    lines = [line.strip() for line in _text_of(files[name]).splitlines()]
    if not (lines := [line for line in lines if line and not line.startswith("#")]):
        raise ValueError(f"The wildcard file {name}.txt holds no line to choose; write one text on each line.")
    return lines


def _names(names: list[str]) -> str:
    if not names:
        return f"{FOLDERS} hold no .txt file yet"
    more = ", …" if len(names) > MOST_NAMES else ""
    return f"in {FOLDERS} there are {', '.join(sorted(names)[:MOST_NAMES])}{more}"


def _text_of(file: Path) -> str:
    """A user's text file; raises ValueError if it is too large or no UTF-8 text."""
    if reason := irregularity(file):
        raise ValueError(f"{file.name} {reason}.")
    if file.stat().st_size > MOST_BYTES:
        raise ValueError(f"{file.name} has more than {MOST_BYTES >> 20} MB; split it into smaller files.")
    try:
        return file.read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{file.name} is not UTF-8 text; save it as UTF-8.") from error


def styles() -> dict[str, Style]:
    """All styles by name, the user's first; raises ValueError for a file of the user's that cannot be read."""
    own: list[Style] = []
    for name, read in STYLE_FILES.items():
        if (file := user_folder() / name).exists():
            try:
                own += _styles_in(file, file_state(str(file)), read)
            except ValueError as error:
                raise ValueError(f"The styles in user/zimage/{name} cannot be read: {error}.") from error
    return by_name([*own, *built_in_styles()])


@lru_cache(maxsize=len(STYLE_FILES))
def _styles_in(file: Path, state: str, read: ReadStyles) -> list[Style]:
    """The styles of a file, read again only when its `state` changes."""
    return read(_text_of(file))


def style_names() -> list[str]:
    """The names for a dropdown; without the user's own where their file cannot be read, which the log says."""
    try:
        return list(styles())
    except ValueError as error:
        LOGGER.warning("Z-Image: %s", error)
        return list(by_name(built_in_styles()))


def state() -> str:
    """Changes with every file a prompt may read."""
    files = [*wildcard_files().values(), *(user_folder() / name for name in STYLE_FILES)]
    return " ".join(f"{file} {file_state(str(file))}" for file in files if file.is_file())
