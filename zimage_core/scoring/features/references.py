"""How near pictures are to vectors that a model gave for references: OneIG-Bench's style and reasoning parts.

A folder holds a vision model and `references.safetensors`: for each name one or several of that model's vectors, as the
authors' `CSD_embed.pt` and `SE_embed.pt` do for styles.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import torch
from PIL import Image
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from ..model_folder import FROM_FOLDER, ModelFolderError, checked_folder, first_line
from ..score import Measurement, Request
from .csd import PROJECTION, CsdNetwork
from .encoder import unit

REFERENCES, CSD = "references.safetensors", "csd.safetensors"
NO_REFERENCE = "the request names no reference"


class ReferencesFolder:
    """A vision model with its vectors: CSD's weights as `csd.safetensors`, or what transformers takes for CLIP's."""

    def __init__(self, folder: str | Path, device: str | torch.device = "cpu") -> None:
        self.path, self.device = Path(folder).expanduser(), torch.device(device)
        self.name = self.path.name
        is_csd = (self.path / CSD).is_file()
        self.embed = self._csd() if is_csd else self._clip()
        self.vectors = {name: unit(each) for name, each in read_tensors(self.path / REFERENCES).items()}
        from transformers import AutoImageProcessor, CLIPImageProcessor

        has_own = not is_csd and (self.path / "preprocessor_config.json").is_file()
        self.processor: Any = (
            AutoImageProcessor.from_pretrained(self.path, **FROM_FOLDER) if has_own else CLIPImageProcessor()
        )

    @torch.inference_mode()
    def nearest(self, picture: Image.Image, name: str) -> float:
        """The largest cosine of a picture with the vectors of a name."""
        if name not in self.vectors:
            raise ModelFolderError(f"{REFERENCES} in {self.path} has no vectors of {name}")
        pixels = self.processor(images=picture.convert("RGB"), return_tensors="pt").pixel_values.to(self.device)
        feature, vectors = unit(self.embed(pixels)), self.vectors[name]
        if feature.shape[-1] != vectors.shape[-1]:
            raise ModelFolderError(
                f"{REFERENCES} in {self.path} has vectors of {vectors.shape[-1]} numbers, and the model there gives "
                f"{feature.shape[-1]}: they must be of the same model"
            )
        return float((feature @ vectors.T).max())

    def _csd(self) -> Any:
        tensors = {key: each.float().to(self.device) for key, each in read_tensors(self.path / CSD).items()}
        if PROJECTION not in tensors and f"module.{PROJECTION}" not in tensors:
            raise ModelFolderError(f"{self.path / CSD} has no {PROJECTION}; it should hold CSD's model_state_dict")
        return CsdNetwork(tensors)

    def _clip(self) -> Any:
        from transformers import CLIPVisionModelWithProjection

        path, kind = checked_folder(self.path), cast(Any, CLIPVisionModelWithProjection)
        try:
            model: Any = kind.from_pretrained(path, use_safetensors=True, **FROM_FOLDER)
        except (OSError, ValueError, KeyError, RuntimeError) as error:
            raise ModelFolderError(f"{path} is no vision model like CLIP's: {first_line(error)}") from error
        model = model.to(self.device).eval()
        return lambda pixels: model(pixel_values=pixels).image_embeds


def read_tensors(file: Path) -> Mapping[str, Tensor]:
    """The tensors of a safetensors file; raises `ModelFolderError` where it is none."""
    try:
        return load_file(file)
    except (OSError, SafetensorError) as error:
        raise ModelFolderError(f"{file} cannot be read as safetensors: {first_line(error)}") from error


class NearestReferenceScore:
    """The mean over models of a picture's cosine with the nearest vector of what the request's rules name."""

    higher_is_better = True

    def __init__(self, name: str, models: Sequence[ReferencesFolder], floor: float = -1.0) -> None:
        self.name, self.models, self.floor = name, tuple(models), floor

    @property
    def reader(self) -> str:
        """The models' folders."""
        return " and ".join(model.name for model in self.models)

    def __call__(self, pictures: Sequence[Image.Image], requests: Sequence[Request]) -> list[Measurement]:
        """One number a picture; no model's cosine counts less than the floor."""
        return [self._measure(*each) for each in zip(pictures, requests, strict=True)]

    def _measure(self, picture: Image.Image, request: Request) -> Measurement:
        name = str(request.rules.get("reference", ""))
        if not name:
            return Measurement.missing(NO_REFERENCE)
        parts = {model.name: max(self.floor, model.nearest(picture, name)) for model in self.models}
        return Measurement(value=sum(parts.values()) / len(parts), parts=parts)
