"""Models of the user's that read pictures for scores: folders as transformers writes them, below ComfyUI's models."""

import os
from functools import cache
from pathlib import Path

import folder_paths
from comfy import model_management

from ....zimage_core.scoring.detection import FolderDetector
from ....zimage_core.scoring.features import AestheticHead, ClipFolder, EfficientNetLite, ReferencesFolder
from ....zimage_core.scoring.features.references import REFERENCES

NONE = "none"
CLIPS, DETECTORS, HEADS, STYLES = "clip_vision", "detection", "aesthetic", "style_references"  # below models
DEEPEST = 3  # folders below those


def choices(kind: str) -> list[str]:
    """Names for a dropdown, none at all first."""
    return [NONE, *names(kind)]


def names(kind: str) -> list[str]:
    """The folders of a kind that hold a model."""
    return list(_folders(kind))


def head_names() -> list[str]:
    """The files in models/aesthetic that may be a head; reading one tells."""
    return list(_heads())


def head(name: str) -> AestheticHead:
    """The aesthetic head of a file in models/aesthetic; raises ValueError for what is none."""
    return AestheticHead(_heads()[name])


def detector(name: str) -> FolderDetector:
    """The object detector of a name in the dropdown; raises ValueError for what is none."""
    return _detector(str(_folder(DETECTORS, name)))


def clip(name: str) -> ClipFolder:
    """The CLIP or SigLIP of a name in the dropdown, with its words' side; raises ValueError for what is none."""
    return _clip(str(_folder(CLIPS, name)))


def references() -> list[ReferencesFolder]:
    """The vision models in models/style_references, each with its references.safetensors; none where there are none."""
    found = {file.parent.name: file.parent for root in _roots(STYLES) for file in Path(root).glob(f"*/{REFERENCES}")}
    return [_references(str(folder)) for _, folder in sorted(found.items())]


@cache
def efficientnet() -> EfficientNetLite:
    """EfficientNet from its package; raises ValueError where it is not installed."""
    return EfficientNetLite(model_management.text_encoder_device())


@cache
def _references(folder: str) -> ReferencesFolder:
    return ReferencesFolder(folder, model_management.text_encoder_device())


@cache
def _detector(folder: str) -> FolderDetector:
    return FolderDetector(folder, model_management.text_encoder_device())


@cache
def _clip(folder: str) -> ClipFolder:
    return ClipFolder(folder, model_management.text_encoder_device())


def _folder(kind: str, name: str) -> Path:
    found = _folders(kind).get(name)
    if found is None:
        raise ValueError(f"There is no folder {name!r} in models/{kind}; choose another, or put it there.")
    return found


def _folders(kind: str) -> dict[str, Path]:
    """Folders with a config.json and weights that are no pickle, by their names below models."""
    found: dict[str, Path] = {}
    for root in _roots(kind):
        for folder, below, files in os.walk(root, followlinks=True):
            place = Path(folder).relative_to(root)
            if len(place.parts) >= DEEPEST:
                below.clear()
            if "config.json" in files and any(name.endswith(".safetensors") for name in files) and place.parts:
                found.setdefault(place.as_posix(), Path(folder))
    return dict(sorted(found.items()))


def _heads() -> dict[str, Path]:
    return {file.name: file for root in _roots(HEADS) for file in sorted(Path(root).glob("*.safetensors"))}


def _roots(kind: str) -> list[str]:
    """Where ComfyUI looks for models of a kind; the folder of that name where it knows no such kind."""
    if kind in folder_paths.folder_names_and_paths:
        return folder_paths.get_folder_paths(kind)
    return [str(Path(folder_paths.models_dir) / kind)]
