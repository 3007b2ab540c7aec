"""What a dataset socket carries: pictures with captions from a folder inside ComfyUI's input folder."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from .....zimage_core.data import Example, bucket_size, hash_of, read_dataset
from .....zimage_core.nano.data.example_sets import write_scenes, write_zorps
from .....zimage_core.training.encoded import fingerprint
from ..input_folders import NO_FOLDER, files_state, folder_names, folder_of, folder_of_input

BUILT_IN = {"zorps (built in)": write_zorps, "what nano knows (built in)": write_scenes}  # drawn for nano
MOST_LISTED = 8  # sizes that a report lists


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """Examples, and the folder they come from."""

    name: str
    examples: Sequence[Example]
    side: int  # of the square whose area pictures get, in pixels
    regularization: Sequence[Example] = ()  # what must not change
    vision: Any = None  # the CLIP_VISION that looks at what edits begin with

    def identity(self) -> bytes:
        """Changes with everything that is learned from."""
        whole = f"{self.side} {len(self.examples)} {hash_of(self.examples)}"
        kept = f" kept {hash_of(self.regularization)}" if self.regularization else ""
        return (whole + kept).encode() + (fingerprint(self.vision.model) if self.vision else b"")


def folders() -> list[str]:
    """Names for a dropdown: folders inside the input folder that hold pictures, and the built-in sets."""
    return folder_names(BUILT_IN)


def read(name: str, caption: str, side: int) -> Dataset:
    """The dataset in a folder. Raises ValueError with one sentence."""
    if name == NO_FOLDER:
        raise ValueError(
            "No folder is chosen to train on. Put one with pictures, and a text of the same name beside each, into "
            "ComfyUI's input folder, press R, and pick it."
        )
    examples, regularization = read_dataset(folder_of(name, BUILT_IN), caption.strip())
    return Dataset(name=name, examples=examples, side=side, regularization=regularization)


def state(name: str) -> str:
    """Changes with the folder's files."""
    if name == NO_FOLDER or name in BUILT_IN:
        return ""
    return files_state(file for file in folder_of_input(name).glob("*") if file.is_file())


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


def _trained_size(picture: Path, side: int) -> tuple[int, int]:
    """Read from the file's header alone."""
    try:
        with Image.open(picture) as opened:
            return bucket_size(opened.size, side * side)
    except (OSError, SyntaxError, ValueError) as error:
        raise ValueError(f"{picture.name} cannot be trained on ({error}). Replace it or take it away.") from error
