"""Lists of pictures with weights that a dataset reads: .jsonl files in ComfyUI's input folder, or in its output folder.

A node that wrote one tells its path; of those a person puts into the input folder, a dropdown tells the names.
"""

from collections.abc import Sequence
from math import lcm
from pathlib import Path

import folder_paths

from .....zimage_core.data import Example, ManifestExamples, read_manifest
from .....zimage_core.data.captions import TABLES
from .....zimage_core.data.manifest import ENDING
from ...loading.files import file_state


def manifest_names() -> list[str]:
    """For a dropdown: those in the input folder itself."""
    root = Path(folder_paths.get_input_directory())
    return sorted(each.name for each in root.glob(f"*{ENDING}") if each.name not in TABLES)


def is_manifest(name: str) -> bool:
    """Whether a name of the dropdown is such a file's."""
    return name.lower().endswith(ENDING)


def manifest_file(told: str) -> Path:
    """The file of a path, which cannot lead out of the two folders. Raises ValueError with one sentence."""
    roots = [Path(root()).resolve() for root in (folder_paths.get_input_directory, folder_paths.get_output_directory)]
    for root in roots if told.strip() and "\0" not in told else []:
        file = (root / told.strip()).resolve()
        if file.is_relative_to(root) and file.is_file() and is_manifest(file.name):
            return file
    raise ValueError(
        f"There is no manifest {told[:120]!r} in ComfyUI's input folder, nor in its output folder. Put a "
        ".jsonl file there, and tell its path below that folder."
    )


def read(told: str, caption: str) -> ManifestExamples:
    """Its pictures, with their weights as repeats."""
    return read_manifest(manifest_file(told), caption)


def state(name: str) -> str:
    """Changes with the file."""
    try:
        return file_state(str(manifest_file(name)))
    except ValueError:
        return ""


def repeats_beside(parts: Sequence[Sequence[Example]]) -> list[int]:
    """How often each part is seen beside the others, so that a weight of 1 is as often as a picture without one."""
    units = [part.repeats_of(1.0) if isinstance(part, ManifestExamples) else 1 for part in parts]
    whole = lcm(*units)
    return [whole // unit for unit in units]
