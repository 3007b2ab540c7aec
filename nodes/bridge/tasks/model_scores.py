"""Scores that need a model of the user's: a judge at the address in the settings, CLIPs, aesthetic heads, detectors.

Those of files stand in the list where the files are; what a judge lacks is told when it is asked.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from ....zimage_core.scoring.detection import COCO, FoundBoxes, PromptObjectsScore
from ....zimage_core.scoring.features import AestheticScore, LikenessScore, SimilarityScore
from ....zimage_core.scoring.judging import (
    AESTHETICS,
    ALIGNMENT,
    GradeScore,
    SoftTifaScore,
    VisionModel,
    YesNoScore,
    check_yes_or_no,
)
from ....zimage_core.scoring.score import Score
from ..loading import score_models
from ..loading.language_server import required_language_server
from ..loading.vision import ZImageVision

JUDGED = {"alignment (judge)": ("alignment", ALIGNMENT), "aesthetics (judge)": ("aesthetics", AESTHETICS)}
LIKENESS = "likeness"
OF_BOXES = "objects (boxes)"
QUESTIONS, SOFT_TIFA = "questions (judge)", "Soft-TIFA (judge)"  # need questions, which few nodes are given


def makers() -> dict[str, Callable[[], Score]]:
    """What makes each score that there is now, by its name in the dropdown."""
    clips = score_models.names(score_models.CLIPS)
    return {
        **{name: partial(_judged, *how) for name, how in JUDGED.items()},
        **{f"similarity ({clip})": partial(_similarity, clip) for clip in clips},
        **{
            f"aesthetic ({head} on {clip})": partial(_aesthetic, head, clip)
            for head in score_models.head_names()
            for clip in clips
        },
        **{f"objects ({name})": partial(_objects, name) for name in score_models.names(score_models.DETECTORS)},
    }


def asking(name: str, rules: Mapping[str, Any]) -> Score:
    """The score that asks a judge a request's questions; ValueError where none is written, or nobody can be asked."""
    if not rules.get("questions"):
        raise ValueError(
            "No question is written. Write one a line in questions, an advanced input, for example: Is there a red fox?"
        )
    if name == QUESTIONS:
        check_yes_or_no(dict(rules))
    judge = VisionModel(required_language_server().server)
    return YesNoScore(judge) if name == QUESTIONS else SoftTifaScore(judge)


def of_boxes(pictures: Sequence[Image.Image], boxes: Any) -> Score:
    """The prompt's objects by the boxes of ComfyUI's own detector; ValueError where none are connected."""
    if boxes is None:
        raise ValueError(
            "Objects are counted by a detector's boxes: connect the output of one that looked at these pictures, such "
            "as ComfyUI's RT-DETR, to boxes."
        )
    found = FoundBoxes(pictures, boxes)
    return PromptObjectsScore(found, sorted({*COCO, *found.names}))


def likeness(clip_vision: Any, reference: Any) -> Score:
    """Likeness to a reference IMAGE by a CLIP_VISION; ValueError where one of them is not connected."""
    if clip_vision is None or reference is None:
        raise ValueError("Likeness compares with a picture: connect reference, and a vision model to clip_vision.")
    [picture, *_] = [Image.fromarray(each) for each in levels_of(reference)]
    return LikenessScore(ConnectedVision(clip_vision), picture)


@dataclass(frozen=True)
class ConnectedVision:
    """A CLIP_VISION, ours or the stock loader's, as an encoder of whole pictures."""

    clip_vision: Any

    @property
    def name(self) -> str:
        """The kind of model."""
        if isinstance(self.clip_vision, ZImageVision):
            return "SigLIP 2 patches, mean"
        return str(getattr(self.clip_vision, "model_type", "vision model")).replace("_", " ")

    def pictures(self, pictures: Sequence[Image.Image]) -> Tensor:
        """A vector of length 1 for each, (n, c); where the model tells none of a whole picture, its patches' mean."""
        return torch.stack([self._one(picture) for picture in pictures])

    def _one(self, picture: Image.Image) -> Tensor:
        image = torch.from_numpy(np.asarray(picture.convert("RGB")).astype(np.float32) / 255)[None]
        seen = self.clip_vision.encode_image(image)
        whole = seen["image_embeds"]
        if whole is None or whole.ndim == 3:
            whole = seen["last_hidden_state"].mean(1)
        return F.normalize(whole.float()[0], dim=-1).cpu()


def levels_of(images: Tensor) -> np.ndarray[Any, Any]:
    """IMAGE (b, h, w, c) as 8-bit RGB levels."""
    return (images[..., :3].float() * 255).clamp(0, 255).byte().cpu().numpy()


def _judged(name: str, instruction: str) -> Score:
    return GradeScore(VisionModel(required_language_server().server), instruction=instruction, name=name)


def _similarity(clip: str) -> Score:
    return SimilarityScore(score_models.clip(clip))


def _aesthetic(head: str, clip: str) -> Score:
    return AestheticScore(score_models.clip(clip), score_models.head(head))


def _objects(name: str) -> Score:
    detector = score_models.detector(name)
    return PromptObjectsScore(detector, detector.names)
