"""What a pictures socket carries: which pictures of a folder stay. Nothing is copied, moved or removed."""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import folder_paths
from comfy import model_management
from comfy.utils import ProgressBar

from .....zimage_core.atomic_file import write_text
from .....zimage_core.curation.in_memory import pictures_of
from .....zimage_core.curation.profiling import Found
from ..captioning.pictures import folder_of
from ..input_folders import NO_FOLDER, files_state

LISTS = "zimage_lists"  # of the output folder: reports and lists, in a folder for each folder of pictures

Kind = TypeVar("Kind")


@dataclass(frozen=True)
class PictureList:
    """Names of files in a folder, which itself has a name of the dropdown."""

    folder: str
    names: Collection[str]


def found_in(folder: str, pictures: PictureList | None) -> tuple[str, list[Found]]:
    """The folder and its picture files, of a list only those on it. Raises ValueError with one sentence for none."""
    name = pictures.folder if pictures else folder
    if name == NO_FOLDER:
        raise ValueError(
            "No folder is chosen. Put one with pictures into ComfyUI's input folder, press R, and pick it."
        )
    place = folder_of(name)
    found = [each for each in pictures_of(place) if pictures is None or Path(each.path).name in pictures.names]
    if not found:
        raise ValueError(f"The folder {name!r} holds no pictures to look at. Put some there, or pick another one.")
    return name, found


def all_of(folder: str) -> PictureList:
    """Every picture of a folder, broken ones too."""
    return PictureList(folder, [Path(each.path).name for each in pictures_of(folder_of(folder))])


def state(folder: str) -> str:
    """Changes with the folder's files, captions included, which those that get the list read."""
    try:
        return files_state(file for file in folder_of(folder).glob("*") if file.is_file())
    except (ValueError, OSError):
        return ""


def with_progress(items: Collection[Kind]) -> Iterator[Kind]:
    """The same items with progress on the node, until a person cancels."""
    bar = ProgressBar(len(items))
    for number, each in enumerate(items, 1):
        yield each
        bar.update_absolute(number, len(items))
        model_management.throw_exception_if_processing_interrupted()


def list_file(folder: str, name: str) -> Path:
    """A file in the output folder about a folder of pictures; its place is made."""
    place = Path(folder_paths.get_output_directory()) / LISTS / folder.partition(" (")[0].replace(" ", "_")
    try:
        place.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unwritable(error) from error
    return place / name


def write_list(file: Path, text: str) -> None:
    """Write such a file. Raises ValueError with one sentence where the system refuses."""
    try:
        write_text(file, text)
    except OSError as error:
        raise _unwritable(error) from error


def lines(names: Iterable[object]) -> str:
    """One a line."""
    return "".join(f"{each}\n" for each in names)


def below_output(file: Path) -> str:
    """A file as a person finds it."""
    return f"output/{file.relative_to(folder_paths.get_output_directory()).as_posix()}"


def _unwritable(error: OSError) -> ValueError:
    return ValueError(
        f"The lists cannot be written to ComfyUI's output folder ({error.strerror or 'no such name'}). Make room or "
        "allow writing there."
    )
