"""A user's picture classifier (ViT, Swin, ConvNeXt, ... ) from a folder, through transformers."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from ..._shapes import Float
from ..model_folder import FROM_FOLDER, ModelFolderError, checked_folder, first_line
from .class_score import probabilities


class FolderClassifier:
    """Knows the classes that the model in a folder was trained on."""

    def __init__(self, folder: str | Path, device: str | torch.device = "cpu") -> None:
        from transformers import AutoImageProcessor, AutoModelForImageClassification

        path = checked_folder(folder)
        self.name, self.device = path.name, torch.device(device)
        try:
            self.processor: Any = AutoImageProcessor.from_pretrained(path, **FROM_FOLDER)
            model: Any = AutoModelForImageClassification.from_pretrained(path, use_safetensors=True, **FROM_FOLDER)
        except (OSError, ValueError, KeyError, ImportError) as error:
            raise ModelFolderError(
                f"{path} is no classifier of pictures that transformers reads: {first_line(error)}"
            ) from error
        self.model = model.to(self.device).eval()

    @property
    def labels(self) -> list[str]:
        """What the classes are called."""
        named = self.model.config.id2label
        return [str(named[key]) for key in sorted(named)]

    @torch.inference_mode()
    def __call__(self, pictures: Sequence[Image.Image]) -> Float[Tensor, "n k"]:
        """Probabilities: sigmoid for one class, softmax for more."""
        inputs = self.processor(images=[each.convert("RGB") for each in pictures], return_tensors="pt")
        logits = self.model(**inputs.to(self.device)).logits.float().cpu()
        return probabilities(logits)
