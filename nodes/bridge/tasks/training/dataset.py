"""What a dataset socket carries: pictures with captions, from a folder inside ComfyUI's input folder or the graph."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from .....zimage_core.data import Example, Joined, hash_of, read_dataset
from .....zimage_core.nano.data.example_sets import write_scenes, write_zorps
from .....zimage_core.training.encoded import fingerprint
from ..input_folders import NO_FOLDER, files_state, folder_names, folder_of, folder_of_input
from .graph_pictures import write_pictures

BUILT_IN = {"zorps (built in)": write_zorps, "what nano knows (built in)": write_scenes}  # drawn for nano


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """Examples, and the folder they come from."""

    name: str
    examples: Sequence[Example]
    side: int  # of the square whose area pictures get, in pixels
    regularization: Sequence[Example] = ()  # what must not change
    vision: Any = None  # the CLIP_VISION that looks at what edits begin with
    is_built_in: bool = False  # built in, with words of its text encoder

    def identity(self) -> bytes:
        """Changes with everything that is learned from."""
        whole = f"{self.side} {len(self.examples)} {hash_of(self.examples)}"
        kept = f" kept {hash_of(self.regularization)}" if self.regularization else ""
        return (whole + kept).encode() + (fingerprint(self.vision.model) if self.vision else b"")


def folders() -> list[str]:
    """Names for a dropdown: folders inside the input folder that hold pictures, and the built-in sets."""
    return folder_names(BUILT_IN)


def read(name: str, caption: str, side: int, images: Sequence[Tensor] = (), captions: Sequence[str] = ()) -> Dataset:
    """The dataset in a folder, of the graph's pictures and texts, or of both. Raises ValueError with one sentence."""
    if name == NO_FOLDER and not images:
        raise ValueError(
            "No folder is chosen to train on. Put one with pictures, and a text of the same name beside each, into "
            "ComfyUI's input folder, press R, and pick it."
        )
    places = [] if name == NO_FOLDER else [folder_of(name, BUILT_IN)]
    if images or captions:
        places.append(write_pictures(images, captions))
    parts = [read_dataset(each, caption.strip()) for each in places]
    return Dataset(
        name=" + ".join(each.name for each in places),
        examples=parts[0].examples if len(parts) == 1 else Joined([(each.examples, 1) for each in parts]),
        side=side,
        regularization=parts[0].regularization,
        is_built_in=name in BUILT_IN,
    )


def state(name: str) -> str:
    """Changes with the folder's files."""
    if name == NO_FOLDER or name in BUILT_IN:
        return ""
    return files_state(file for file in folder_of_input(name).glob("*") if file.is_file())
