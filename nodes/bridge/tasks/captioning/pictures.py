"""Folders whose pictures can be captioned: those inside ComfyUI's input folder, and two that are drawn for nano."""

from pathlib import Path

from .....zimage_core.nano.data.example_sets import write_edited, write_untold
from ..training.dataset import NO_FOLDER, folder_of_input, folder_of_temp, folders_of_input

BUILT_IN = {"nano's pictures (built in)": write_untold, "edits of nano's pictures (built in)": write_edited}


def folder_names() -> list[str]:
    """For the dropdown."""
    return [NO_FOLDER, *BUILT_IN, *folders_of_input()]


def target_names() -> list[str]:
    """For the dropdown of what pictures became."""
    return [NO_FOLDER, *folders_of_input()]


def folder_of(name: str) -> Path:
    """The folder of a name, which cannot lead out of the input folder. Raises ValueError with one sentence.

    The built-in ones are drawn into ComfyUI's temp folder, where captions last until ComfyUI is started again.
    """
    if name == NO_FOLDER:
        raise ValueError(
            "No folder is chosen to caption. Put one with pictures into ComfyUI's input folder, press R, and pick it."
        )
    if name not in BUILT_IN:
        return folder_of_input(name)
    place = folder_of_temp(name)
    BUILT_IN[name](place)
    return place


def target_folder_of(name: str) -> Path | None:
    """The folder with what pictures became; none where there is none."""
    return None if name == NO_FOLDER else folder_of_input(name)
