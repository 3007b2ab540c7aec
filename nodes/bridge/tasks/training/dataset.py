"""What a dataset socket carries: pictures with captions from a folder inside ComfyUI's input folder."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import folder_paths
from PIL import Image

from .....zimage_core.data import Example, bucket_size, is_picture, read_picture_folder
from .....zimage_core.nano.data.example_sets import write_scenes, write_zorps

NO_FOLDER = "none"
BUILT_IN = {"zorps (built in)": write_zorps, "what nano knows (built in)": write_scenes}  # drawn for nano
PLACE = "zimage_datasets"  # of those, in the temp folder
MOST_LISTED = 8  # sizes that a report lists


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """Examples, and the folder they come from."""

    name: str
    examples: Sequence[Example]
    side: int  # of the square whose area pictures get, in pixels


def folders() -> list[str]:
    """Names for a dropdown: folders inside the input folder that hold pictures, and the built-in sets."""
    return [NO_FOLDER, *BUILT_IN, *folders_of_input()]


def folders_of_input() -> list[str]:
    """Folders with pictures inside the input folder, as paths below it."""
    root = Path(folder_paths.get_input_directory())
    inside = sorted(each for each in root.glob("**/") if each != root)
    return [each.relative_to(root).as_posix() for each in inside if any(_pictures(each))]


def read(name: str, caption: str, side: int) -> Dataset:
    """The dataset in a folder. Raises ValueError with one sentence."""
    if name == NO_FOLDER:
        raise ValueError(
            "No folder is chosen to train on. Put one with pictures, and a text of the same name beside each, into "
            "ComfyUI's input folder, press R, and pick it."
        )
    place = _written(name) if name in BUILT_IN else folder_of_input(name)
    return Dataset(name=name, examples=read_picture_folder(place, caption.strip()), side=side)


def state(name: str) -> str:
    """Changes with the folder's files."""
    if name == NO_FOLDER or name in BUILT_IN:
        return ""
    files = sorted(file for file in folder_of_input(name).glob("*") if file.is_file())
    return " ".join(f"{file.name} {file.stat().st_mtime_ns} {file.stat().st_size}" for file in files)


def report(dataset: Dataset) -> str:
    """How many pictures, at which sizes they are trained, and how long their captions are."""
    side = dataset.side
    sizes = Counter(_trained_size(example.picture, side) for example in dataset.examples)
    words = [len(caption.split()) for example in dataset.examples for caption in example.captions]
    listed = ", ".join(f"{width}x{height}: {n}" for (width, height), n in sizes.most_common(MOST_LISTED))
    more = f" and {len(sizes) - MOST_LISTED} other sizes" if len(sizes) > MOST_LISTED else ""
    return (
        f"{len(dataset.examples)} pictures, {len(words)} captions of {min(words)} to {max(words)} words\n"
        f"Trained at {side}x{side} pixels in area: {listed}{more}"
    )


def _written(name: str) -> Path:
    """A built-in set, drawn into ComfyUI's temp folder."""
    place = folder_of_temp(name)
    BUILT_IN[name](place)
    return place


def folder_of_temp(name: str) -> Path:
    """Where a built-in set is drawn."""
    return Path(folder_paths.get_temp_directory()) / PLACE / name.partition(" (")[0].replace(" ", "_")


def folder_of_input(name: str) -> Path:
    """The folder of a name, which cannot lead out of the input folder."""
    root = Path(folder_paths.get_input_directory()).resolve()
    place = (root / name).resolve()
    if not place.is_relative_to(root):
        raise ValueError(f"The folder {name!r} lies outside ComfyUI's input folder. Pick one inside it.")
    return place


def _pictures(folder: Path) -> list[Path]:
    return [file for file in folder.iterdir() if is_picture(file)]


def _trained_size(picture: Path, side: int) -> tuple[int, int]:
    """Read from the file's header alone."""
    try:
        with Image.open(picture) as opened:
            return bucket_size(opened.size, side * side)
    except (OSError, SyntaxError, ValueError) as error:
        raise ValueError(f"{picture.name} cannot be trained on ({error}). Replace it or take it away.") from error
