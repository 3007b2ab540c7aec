"""Folders whose pictures can be looked through and captioned: those in ComfyUI's input folder, and three for nano."""

from pathlib import Path

from .....zimage_core.nano.data.example_sets import write_edited, write_messy, write_untold
from ...loading import prompt_files
from .. import input_folders
from ..input_folders import NO_FOLDER

CAPTIONED = "captioned"  # of the user folder: sets that are drawn for nano, with their captions

MESSY = "a messy folder (built in)"
BUILT_IN = {
    "nano's pictures (built in)": write_untold,
    "edits of nano's pictures (built in)": write_edited,
    MESSY: write_messy,
}


def folder_names() -> list[str]:
    """For the dropdown."""
    return input_folders.folder_names(BUILT_IN)


def target_names() -> list[str]:
    """For the dropdown of what pictures became."""
    return input_folders.folder_names({})


def folder_of(name: str) -> Path:
    """The folder of a name, which cannot lead out of the input folder. Raises ValueError with one sentence.

    The built-in ones are drawn into the user folder, where their captions outlast ComfyUI.
    """
    if name == NO_FOLDER:
        raise ValueError(
            "No folder is chosen to caption. Put one with pictures into ComfyUI's input folder, press R, and pick it."
        )
    return input_folders.folder_of(name, BUILT_IN, prompt_files.user_folder() / CAPTIONED)


def target_folder_of(name: str) -> Path | None:
    """The folder with what pictures became; none where there is none."""
    return None if name == NO_FOLDER else input_folders.folder_of_input(name)
