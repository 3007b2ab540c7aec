"""The user's model files under ComfyUI's own names, and the built-in model beside them."""

from pathlib import Path

import folder_paths

from ...zimage_core.checkpoints.parts import DIT, TEXT_ENCODER, VAE, Part
from ...zimage_core.nano import weights

BUILT_IN = "nano (built in)"

LIKELY = {
    DIT.name: ("z_image", "z-image", "zimage"),
    TEXT_ENCODER.name: ("qwen_3_4b", "qwen3"),
    VAE.name: ("ae.",),
}
BUILT_IN_FILES = {
    DIT.name: weights.FOLDER / weights.DIT,
    TEXT_ENCODER.name: weights.FOLDER / weights.TEXT_ENCODER,
    VAE.name: weights.FOLDER / weights.VAE,
}
BUILT_IN_TOKENIZER = weights.FOLDER / weights.TOKENIZER


def choices(part: Part) -> list[str]:
    """Names for a dropdown: every file of the part's folder as stock loaders show it, then the built-in."""
    return [*folder_paths.get_filename_list(part.folder), BUILT_IN]


def likely(part: Part) -> str:
    """The dropdown's default: the first file that sounds like Z-Image, else the built-in, which always works."""
    hints = LIKELY[part.name]
    return next((name for name in choices(part) if any(hint in name.lower() for hint in hints)), BUILT_IN)


def path_of(part: Part, name: str) -> str:
    """The file behind a dropdown's name."""
    if name == BUILT_IN:
        return str(BUILT_IN_FILES[part.name])
    return folder_paths.get_full_path_or_raise(part.folder, name)


def fingerprint(part: Part, name: str) -> str:
    """Changes when the file behind a name does, so that a replaced file is loaded again."""
    state = Path(path_of(part, name)).stat()
    return f"{state.st_mtime_ns} {state.st_size}"


def embeddings_folder() -> list[str]:
    """Where the user keeps textual inversions."""
    return folder_paths.get_folder_paths("embeddings")
