"""Model files in dropdowns: the names an artist sees, the built-in model's among them, and the files behind them.

Names of a network's own models folder are ComfyUI's. Behind them come GGUF files, which ComfyUI does not list by
itself, files of other folders as "checkpoints/name", and folders of diffusers pipelines as "diffusers/name".
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import folder_paths

from ....zimage_core import atomic_file
from ....zimage_core.checkpoints.networks import ADD_ON_NETWORKS, DIT, PIPELINE_NETWORKS, AnyNetwork
from ....zimage_core.nano.files import FOLDER, TOKENIZER, file_of

BUILT_IN = "nano (built in)"
BUILT_IN_TOKENIZER = FOLDER / TOKENIZER
NO_LORA = "none"
LORAS, CHECKPOINTS, DIFFUSERS = "loras", "checkpoints", "diffusers"


def choices(network: AnyNetwork) -> list[str]:
    """Names for a dropdown: every file of the user's that may hold the network, each once, then the built-in one."""
    names = [*_listed(network.folder), *_ggufs(network)]
    for folder in network.other_folders:
        inside = _pipelines(network) if folder == DIFFUSERS else _listed(folder)
        names += [f"{folder}/{name}" for name in inside]
    return [*dict.fromkeys(names), *([BUILT_IN] if network.nano_file else [])]


def default(network: AnyNetwork) -> str | None:
    """The dropdown's default: the first file named like Z-Image's, else the built-in one, which always works."""
    like = (name for name in choices(network) if any(hint in name.lower() for hint in network.name_hints))
    return next(like, BUILT_IN if network.nano_file else None)


def path_of(network: AnyNetwork, name: str) -> str:
    """The file or folder behind a dropdown's name. A subfolder of the network's own folder precedes other folders."""
    if name == BUILT_IN and network.nano_file:
        return str(file_of(network))
    path = folder_paths.get_full_path(network.folder, name)
    folder, _, rest = name.partition("/")
    if path is None and folder in network.other_folders:
        path = _pipelines(network).get(rest) if folder == DIFFUSERS else folder_paths.get_full_path(folder, rest)
    return str(path or folder_paths.get_full_path_or_raise(network.folder, name))


def fingerprint(network: AnyNetwork, name: str) -> str:
    """Changes when the file behind a name does, so that a replaced file is loaded again."""
    return file_state(path_of(network, name))


def file_state(path: str) -> str:
    """Times and sizes of a file, or of the files in a folder; dead links are skipped."""
    place = Path(path)
    files = sorted(file for file in place.iterdir() if file.exists()) if place.is_dir() else [place]
    states = [file.stat() for file in files]
    return " ".join(f"{state.st_mtime_ns} {state.st_size}" for state in states)


def model_path(name: str) -> str:
    """The diffusion-model file behind a name in any loader's dropdown, whole checkpoints among them."""
    try:
        return path_of(DIT, name)
    except FileNotFoundError:
        return folder_paths.get_full_path_or_raise(CHECKPOINTS, name)


def lora_choices() -> list[str]:
    """Names for a dropdown of LoRAs, which begins with none at all."""
    return [NO_LORA, *lora_names()]


def lora_names() -> list[str]:
    """Every LoRA of the user's, below models/loras."""
    return folder_paths.get_filename_list(LORAS)


def lora_path(name: str) -> str:
    """The LoRA file behind a dropdown's name."""
    return folder_paths.get_full_path_or_raise(LORAS, name)


def all_choices() -> list[str]:
    """Every model file of the user's as "folder/name", then the built-in ones."""
    users = [f"{folder}/{name}" for folder in _all_folders() for name in _listed(folder)]
    return [*users, *(f"{BUILT_IN}/{network.name}" for network in PIPELINE_NETWORKS)]


def all_choices_path(choice: str) -> str:
    """The file behind "folder/name"."""
    folder, _, name = choice.partition("/")
    if folder == BUILT_IN:
        return str(next(file_of(network) for network in PIPELINE_NETWORKS if network.name == name))
    return folder_paths.get_full_path_or_raise(folder, name)


def output_path(prefix: str, ending: str) -> Path:
    """A new file in ComfyUI's output folder, numbered as stock nodes number theirs, so that none is overwritten."""
    place = output_place(prefix)
    return place.folder / f"{place.name}_{place.number:05}_{ending}"


class OutputPlace(NamedTuple):
    """Where a node writes: the folder, which is `subfolder` in the output folder, and the first number still free."""

    folder: Path
    name: str
    number: int
    subfolder: str


def output_place(prefix: str, size: tuple[int, int] = (0, 0)) -> OutputPlace:
    """The place that a prefix of the user's means; `size` is (width, height) of a picture, which it may name.

    Raises ValueError for one that leads out of ComfyUI's output folder.
    """
    output = folder_paths.get_output_directory()
    target = Path(os.path.normpath(Path(output) / prefix))
    if "\0" in prefix or not target.is_relative_to(os.path.normpath(output)):
        raise ValueError(
            f"filename_prefix {prefix!r} leads out of ComfyUI's output folder. Write a name, or folder/name inside it."
        )
    folder, name, number, subfolder, _ = folder_paths.get_save_image_path(prefix, output, *size)
    return OutputPlace(Path(folder), name, number, subfolder)


def remove_leftovers() -> None:
    """Remove what a killed process left half written in the folders where Convert LoRA writes by default."""
    output = Path(folder_paths.get_output_directory())
    for folder in (output, output / LORAS):
        atomic_file.remove_leftovers(folder)


def embeddings_folder() -> list[str]:
    """Where the user keeps textual inversions."""
    return folder_paths.get_folder_paths("embeddings")


def _all_folders() -> list[str]:
    """Every models folder that can hold something for Z-Image, in the order of the dropdown."""
    return [
        *(network.folder for network in PIPELINE_NETWORKS),
        *(LORAS, CHECKPOINTS),
        *(folder for network in ADD_ON_NETWORKS for folder in (network.folder, *network.other_folders)),
        *(network.gguf_folder for network in PIPELINE_NETWORKS if network.gguf_folder),
    ]


def _listed(folder: str) -> list[str]:
    """A models folder's files; none where this version of ComfyUI has no such folder."""
    return folder_paths.get_filename_list(folder) if folder in folder_paths.folder_names_and_paths else []


def _ggufs(network: AnyNetwork) -> list[str]:
    """GGUF files in the network's folders, listed and cached by ComfyUI under ComfyUI-GGUF's name for the folder."""
    if network.gguf_folder is None:
        return []
    folders = folder_paths.folder_names_and_paths[network.folder][0]
    folder_paths.folder_names_and_paths.setdefault(network.gguf_folder, (folders, {".gguf"}))
    return folder_paths.get_filename_list(network.gguf_folder)


def _pipelines(network: AnyNetwork) -> dict[str, Path]:
    """The network's folder in every diffusers pipeline of the user's, by the pipeline's name."""
    roots = [Path(root) for root in folder_paths.get_folder_paths(DIFFUSERS)]
    pipelines = [(pipeline, root) for root in roots for pipeline in sorted(_folders_with(root, "model_index.json"))]
    return {
        pipeline.relative_to(root).as_posix(): pipeline / network.subfolder
        for pipeline, root in pipelines
        if (pipeline / network.subfolder).is_dir()
    }


def _folders_with(root: Path, name: str) -> Iterator[Path]:
    """Folders below `root` that hold a file of that name, through links too: a hub's cache is made of them."""
    visited: set[str] = set()
    for folder, subfolders, files in os.walk(root, followlinks=True):
        target = os.path.realpath(folder)
        if target in visited:  # two names of one folder, or a loop
            subfolders.clear()
        elif name in files:
            subfolders.clear()  # its parts are no pipelines
            yield Path(folder)
        else:
            visited.add(target)
