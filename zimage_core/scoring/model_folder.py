"""Folders of models that a user has, read by transformers: nothing is downloaded, no code in them runs, no pickle."""

from pathlib import Path


class ModelFolderError(ValueError):
    """A folder that holds no model of the wanted kind; its message is one sentence for a person."""


def checked_folder(folder: str | Path) -> Path:
    """The folder, if it looks like one that transformers wrote."""
    path = Path(folder).expanduser()
    if not path.is_dir():
        raise ModelFolderError(f"there is no folder {path}; give the one that holds the model's config.json")
    if not (path / "config.json").is_file():
        raise ModelFolderError(f"{path} has no config.json; give a folder as Hugging Face's transformers writes it")
    if not any(path.glob("*.safetensors")):
        raise ModelFolderError(f"{path} has no .safetensors file; weights in other files may run code and are not read")
    return path


FROM_FOLDER = {"local_files_only": True, "trust_remote_code": False}  # for everything that is read from it


def first_line(error: BaseException) -> str:
    """What an error says first."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
