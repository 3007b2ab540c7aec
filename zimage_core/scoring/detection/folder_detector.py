"""A user's object detector (DETR, RT-DETR, YOLOS, ... ) from a folder, through transformers."""

from collections.abc import Sequence
from pathlib import Path

import torch
from PIL import Image

from ..model_folder import FROM_FOLDER, ModelFolderError, checked_folder, first_line
from .detector import Detection

LEAST_CONFIDENCE = 0.05  # what is reported at all; a rule has its own threshold


class FolderDetector:
    """Detects what the model in a folder was trained to."""

    def __init__(self, folder: str | Path, device: str | torch.device = "cpu") -> None:
        from transformers import AutoImageProcessor, AutoModelForObjectDetection

        path = checked_folder(folder)
        self.name, self.device = path.name, torch.device(device)
        try:
            self.processor = AutoImageProcessor.from_pretrained(path, **FROM_FOLDER)
            model = AutoModelForObjectDetection.from_pretrained(path, use_safetensors=True, **FROM_FOLDER)
        except (OSError, ValueError, KeyError, ImportError) as error:
            raise ModelFolderError(
                f"{path} is no object detector that transformers reads: {first_line(error)}"
            ) from error
        self.model = model.to(self.device).eval()

    @property
    def names(self) -> list[str]:
        """What it was trained to find."""
        return list(self.model.config.id2label.values())

    @torch.inference_mode()
    def detect(self, picture: Image.Image) -> Sequence[Detection]:
        """Every object above a low threshold, by the model's own names."""
        rgb = picture.convert("RGB")
        inputs = self.processor(images=rgb, return_tensors="pt").to(self.device)
        (found,) = self.processor.post_process_object_detection(
            self.model(**inputs), threshold=LEAST_CONFIDENCE, target_sizes=[(rgb.height, rgb.width)]
        )
        names = self.model.config.id2label
        columns = (found[key].tolist() for key in ("labels", "scores", "boxes"))
        return [
            Detection(name=names[label], box=tuple(box), confidence=confidence)
            for label, confidence, box in zip(*columns, strict=True)
        ]
