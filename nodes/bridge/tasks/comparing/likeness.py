"""How alike pictures are to references, through the features of any CLIP_VISION.

Letters: n pictures, c features.
"""

from typing import Any

import torch
from comfy import model_management
from torch import Tensor
from torch.nn import functional as F

from ...loading.pictures import rgb


def likeness(clip_vision: Any, pictures: Tensor, references: Tensor) -> list[float]:
    """For each picture (n, h, w, 3) the mean cosine with the references' features; can be interrupted between them."""
    wanted = _features(clip_vision, rgb(references))
    return (_features(clip_vision, pictures) @ wanted.T).mean(1).tolist()


def _features(clip_vision: Any, pictures: Tensor) -> Tensor:
    """Vectors (n, c) of length 1; of encoders that keep patches, their mean."""
    found: list[Tensor] = []
    for picture in pictures:
        model_management.throw_exception_if_processing_interrupted()
        features = clip_vision.encode_image(picture[None])["image_embeds"].float().cpu()
        found.append(F.normalize(features.flatten(0, -2).mean(0), dim=-1))
    return torch.stack(found)
