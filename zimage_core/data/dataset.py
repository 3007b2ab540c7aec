"""A dataset of any layout: pictures, pairs, folders that tell their repeats, kohya's configuration file, a manifest."""

from pathlib import Path

from .edit_pairs import holds_pairs, read_pairs
from .example import ReadDataset
from .manifest import ENDING, read_manifest
from .picture_folder import check_folder, read_picture_folder
from .subsets import joined, numbered_folders, subsets_in

CONFIGURATIONS = ("dataset.toml", "dataset_config.toml")


def read_dataset(place: Path, caption: str = "") -> ReadDataset:
    """The examples of a folder, whose layout tells what they are, of a TOML file, or of a manifest with weights.

    `caption` is for pictures without one.

    Raises ValueError with one sentence for what cannot be trained on.
    """
    if place.suffix.lower() == ".toml":
        return joined(subsets_in(place), caption)
    if place.suffix.lower() == ENDING:
        return ReadDataset(read_manifest(place, caption))
    check_folder(place)
    for name in CONFIGURATIONS:
        if (place / name).is_file():
            return joined(subsets_in(place / name), caption)
    if holds_pairs(place):
        return ReadDataset(read_pairs(place, caption))
    if numbered := numbered_folders(place):
        return joined(numbered, caption)
    return ReadDataset(read_picture_folder(place, caption))
