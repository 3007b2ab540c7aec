"""Where the parts of Z-Image lie among the user's models, as dropdowns name them.

Names of the part's own folder are ComfyUI's. Behind them come GGUF files, which ComfyUI does not list by itself,
all-in-one checkpoints as "checkpoints/name", and folders laid out as diffusers lays them out as "diffusers/name".
"""

from pathlib import Path

import folder_paths

from ....zimage_core.checkpoints.identify.parts import Part

CHECKPOINTS, DIFFUSERS = "checkpoints", "diffusers"
GGUF = {"diffusion_models": "unet_gguf", "text_encoders": "clip_gguf"}  # ComfyUI-GGUF's names, so that lists agree


def names(part: Part) -> list[str]:
    """Every file or folder of the user's that may hold the part, each once."""
    own = folder_paths.get_filename_list(part.folder)
    checkpoints = [f"{CHECKPOINTS}/{name}" for name in folder_paths.get_filename_list(CHECKPOINTS)]
    diffusers = [f"{DIFFUSERS}/{name}" for name in _pipelines(part)]
    return list(dict.fromkeys([*own, *_ggufs(part), *checkpoints, *diffusers]))


def path_of(part: Part, name: str) -> str:
    """The file or folder behind a name. A subfolder of the part's own folder goes before another kind's."""
    path = folder_paths.get_full_path(part.folder, name)
    kind, _, rest = name.partition("/")
    if path is None and kind == CHECKPOINTS:
        path = folder_paths.get_full_path(CHECKPOINTS, rest)
    if path is None and kind == DIFFUSERS and rest in (pipelines := _pipelines(part)):
        path = str(pipelines[rest])
    return path or folder_paths.get_full_path_or_raise(part.folder, name)


def state_of(path: str) -> str:
    """What changes when a file, or one in a folder, does."""
    place = Path(path)
    states = [file.stat() for file in (sorted(place.iterdir()) if place.is_dir() else [place])]
    return " ".join(f"{state.st_mtime_ns} {state.st_size}" for state in states)


def _ggufs(part: Part) -> list[str]:
    """GGUF files in the part's folders, listed by ComfyUI itself, which remembers what it saw."""
    key = GGUF.get(part.folder)
    if key is None:
        return []
    folders = folder_paths.folder_names_and_paths[part.folder][0]
    folder_paths.folder_names_and_paths.setdefault(key, (folders, {".gguf"}))
    return folder_paths.get_filename_list(key)


def _pipelines(part: Part) -> dict[str, Path]:
    """The part's folder in every diffusers pipeline of the user's, by the pipeline's name."""
    places = [Path(place) for place in folder_paths.get_folder_paths(DIFFUSERS)]
    found = [(index.parent, place) for place in places for index in sorted(place.rglob("model_index.json"))]
    return {
        folder.relative_to(place).as_posix(): folder / part.subfolder
        for folder, place in found
        if (folder / part.subfolder).is_dir()
    }
