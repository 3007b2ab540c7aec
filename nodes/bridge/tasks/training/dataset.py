"""What a dataset socket carries: pictures with captions, from a folder inside ComfyUI's input folder or the graph."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from .....zimage_core.data import Example, Joined, ReadDataset, hash_of, read_dataset, read_picture_folder
from .....zimage_core.nano.data.example_sets import write_scenes, write_zorps
from .....zimage_core.training.encoded import fingerprint
from ..captioning.pictures import BUILT_IN as DRAWN
from ..captioning.pictures import folder_of as folder_of_list
from ..curating.picture_list import PictureList
from ..input_folders import NO_FOLDER, files_state, folder_names, folder_of, folder_of_input
from . import manifests
from .graph_pictures import write_pictures

ANY_SIDE = 1024  # for those who read no pixels
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
    """Names for a dropdown: the built-in sets, folders inside the input folder that hold pictures, and manifests."""
    return [*folder_names(BUILT_IN), *manifests.manifest_names()]


def read(
    name: str,
    caption: str,
    side: int,
    images: Sequence[Tensor] = (),
    captions: Sequence[str] = (),
    listed: Sequence[PictureList] = (),
    weighed: Sequence[str] = (),
) -> Dataset:
    """The dataset in a folder, of lists, of manifests, of the graph's pictures and texts, or of all of them.

    Raises ValueError with one sentence.
    """
    if name == NO_FOLDER and not images and not listed and not weighed:
        raise ValueError(
            "No folder is chosen to train on. Put one with pictures, and a text of the same name beside each, into "
            "ComfyUI's input folder, press R, and pick it."
        )
    places = [] if name == NO_FOLDER else [_place(name)]
    if images or captions:
        places.append(write_pictures(images, captions))
    parts = [read_dataset(each, caption.strip()) for each in places]
    parts += [ReadDataset(_listed(each, caption.strip())) for each in listed]
    parts += [ReadDataset(manifests.read(each, caption.strip())) for each in weighed]
    examples = [each.examples for each in parts]
    names = [*(each.name for each in places), *(each.folder for each in listed), *map(_file_name, weighed)]
    return Dataset(
        name=" + ".join(names),
        examples=(
            examples[0]
            if len(parts) == 1
            else Joined(list(zip(examples, manifests.repeats_beside(examples), strict=True)))
        ),
        side=side,
        regularization=parts[0].regularization,
        is_built_in=name in BUILT_IN or any(each.folder in DRAWN for each in listed),
    )


def _place(name: str) -> Path:
    return manifests.manifest_file(name) if manifests.is_manifest(name) else folder_of(name, BUILT_IN)


def _file_name(told: str) -> str:
    return Path(told).name


def _listed(pictures: PictureList, caption: str) -> Sequence[Example]:
    return read_picture_folder(folder_of_list(pictures.folder), caption, only=pictures.names)


def state(name: str) -> str:
    """Changes with the folder's files."""
    if name == NO_FOLDER or name in BUILT_IN:
        return ""
    if manifests.is_manifest(name):
        return manifests.state(name)
    return files_state(file for file in folder_of_input(name).glob("*") if file.is_file())
