"""What dropdowns of files show, the built-in model among them, and the files behind it."""

from pathlib import Path

import folder_paths

from ....zimage_core.checkpoints.identify.parts import DIT, PARTS, TEXT_ENCODER, VAE, VISION, Part
from ....zimage_core.nano import files
from . import listing
from .listing import state_of

BUILT_IN = "nano (built in)"
NO_LORA = "none"
LORAS = "loras"
EVERY_FOLDER = (  # the last two are ComfyUI-GGUF's, which lists what the stock folders do not show
    *("diffusion_models", "text_encoders", "vae", "clip_vision", LORAS, "checkpoints", "model_patches", "controlnet"),
    *("unet_gguf", "clip_gguf"),
)

LIKELY = {
    DIT.name: ("z_image", "z-image", "zimage"),
    TEXT_ENCODER.name: ("qwen_3_4b", "qwen3"),
    VAE.name: ("ae.",),
    VISION.name: ("siglip2", "naflex"),
}
BUILT_IN_FILES = {
    DIT.name: files.FOLDER / files.DIT,
    TEXT_ENCODER.name: files.FOLDER / files.TEXT_ENCODER,
    VAE.name: files.FOLDER / files.VAE,
    VISION.name: files.FOLDER / files.VISION,
}
BUILT_IN_TOKENIZER = files.FOLDER / files.TOKENIZER


def choices(part: Part) -> list[str]:
    """Names for a dropdown: everything of the user's that may hold the part, then the built-in."""
    return [*listing.names(part), BUILT_IN]


def likely(part: Part) -> str:
    """The dropdown's default: the first file that sounds like Z-Image, else the built-in, which always works."""
    hints = LIKELY[part.name]
    return next((name for name in choices(part) if any(hint in name.lower() for hint in hints)), BUILT_IN)


def path_of(part: Part, name: str) -> str:
    """The file behind a dropdown's name."""
    if name == BUILT_IN:
        return str(BUILT_IN_FILES[part.name])
    return listing.path_of(part, name)


def fingerprint(part: Part, name: str) -> str:
    """Changes when the file behind a name does, so that a replaced file is loaded again."""
    return state_of(path_of(part, name))


def lora_choices() -> list[str]:
    """Names for a dropdown of LoRAs, which begins with none at all."""
    return [NO_LORA, *folder_paths.get_filename_list(LORAS)]


def lora_path(name: str) -> str:
    """The LoRA file behind a dropdown's name."""
    return folder_paths.get_full_path_or_raise(LORAS, name)


def every_choice() -> list[str]:
    """Every model file of the user's as "folder/name", then the built-in ones."""
    folders = [folder for folder in EVERY_FOLDER if folder in folder_paths.folder_names_and_paths]
    users = [f"{folder}/{name}" for folder in folders for name in folder_paths.get_filename_list(folder)]
    return [*users, *(f"{BUILT_IN}/{part.name}" for part in PARTS)]


def every_path(choice: str) -> str:
    """The file behind "folder/name"."""
    folder, _, name = choice.partition("/")
    if folder == BUILT_IN:
        return str(BUILT_IN_FILES[name])
    return folder_paths.get_full_path_or_raise(folder, name)


def output_path(prefix: str, ending: str) -> Path:
    """A new file in ComfyUI's output folder, numbered as stock nodes number theirs, so that none is overwritten."""
    folder, name, counter, *_ = folder_paths.get_save_image_path(prefix, folder_paths.get_output_directory())
    return Path(folder) / f"{name}_{counter:05}_{ending}"


def embeddings_folder() -> list[str]:
    """Where the user keeps textual inversions."""
    return folder_paths.get_folder_paths("embeddings")
