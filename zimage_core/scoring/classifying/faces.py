"""Faces by YuNet, an ONNX file of the user's (OpenCV's model zoo has it under the MIT licence)."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..model_folder import ModelFolderError
from ..score import Measurement, Request
from .onnx_file import onnx_session

STRIDES = (8, 16, 32)  # pixels between the points at which a face may be
SIDE = 640  # pixels: of a model without a fixed size
LEAST_SCORE, MOST_OVERLAP = 0.7, 0.3  # of a face, and of two boxes that are two faces (OpenCV's example has 0.9, 0.3)
OUTPUTS = tuple(f"{kind}_{stride}" for kind in ("cls", "obj", "bbox") for stride in STRIDES)

Boxes = NDArray[np.float32]  # (n 4): left, top, right, bottom in pixels


class YuNet:
    """Finds faces in a picture that is fitted, with a black margin, into the model's square."""

    def __init__(self, file: str | Path) -> None:
        path = Path(file).expanduser()
        self.session: Any = onnx_session(path)
        self.name = path.name
        missing = sorted(set(OUTPUTS) - {each.name for each in self.session.get_outputs()})
        if missing:
            raise ModelFolderError(
                f"{path.name} is no YuNet of 2023 or later, as it has no output {missing[0]}; give a file such as "
                "face_detection_yunet_2023mar.onnx"
            )
        [given, *_] = self.session.get_inputs()
        self.input = given.name
        sides = [side for side in given.shape[2:] if isinstance(side, int) and side > 0]
        self.height, self.width = sides if len(sides) == 2 else (SIDE, SIDE)

    def __call__(self, picture: Image.Image) -> Boxes:
        """The faces of an RGB picture, in its pixels, the surest first."""
        scale = min(self.width / picture.width, self.height / picture.height)
        fitted = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
        canvas = Image.new("RGB", (self.width, self.height))
        canvas.paste(picture.convert("RGB").resize(fitted, Image.Resampling.BILINEAR))
        blue_first = np.asarray(canvas, np.float32)[:, :, ::-1].transpose(2, 0, 1)[None]
        found = dict(
            zip(OUTPUTS, self.session.run(list(OUTPUTS), {self.input: np.ascontiguousarray(blue_first)}), strict=True)
        )
        parts = [self._of_stride(found, stride) for stride in STRIDES]
        boxes, scores = (np.concatenate([part[place] for part in parts]) for place in (0, 1))
        kept = boxes[without_overlaps(boxes, scores)] / scale
        return kept.clip(0, [picture.width, picture.height] * 2).astype(np.float32)

    def _of_stride(self, found: dict[str, Any], stride: int) -> tuple[Boxes, NDArray[np.float32]]:
        """Boxes and scores of the points of one grid, row by row."""
        across = self.width // stride
        is_face, is_object = (found[f"{kind}_{stride}"].reshape(-1).clip(0, 1) for kind in ("cls", "obj"))
        scores = np.sqrt(is_face * is_object)
        likely = np.flatnonzero(scores >= LEAST_SCORE)
        told = found[f"bbox_{stride}"].reshape(-1, 4)[likely]
        middle = (np.stack([likely % across, likely // across], 1) + told[:, :2]) * stride
        half = np.exp(told[:, 2:]) * stride / 2
        return np.concatenate([middle - half, middle + half], 1).astype(np.float32), scores[likely]


def without_overlaps(boxes: Boxes, scores: NDArray[np.float32]) -> list[int]:
    """Which boxes stay: from the surest on each that no surer one overlaps by more than `MOST_OVERLAP`."""
    kept: list[int] = []
    for each in np.argsort(-scores, kind="stable").tolist():
        if all(overlap(boxes[each], boxes[other]) <= MOST_OVERLAP for other in kept):
            kept.append(each)
    return kept


def overlap(one: Boxes, other: Boxes) -> float:
    """Intersection over union of two boxes."""
    shared = np.prod(np.maximum(np.minimum(one[2:], other[2:]) - np.maximum(one[:2], other[:2]), 0))
    both = np.prod(one[2:] - one[:2]) + np.prod(other[2:] - other[:2]) - shared
    return float(shared / both) if both > 0 else 0.0


class FacesScore:
    """How many faces a picture shows; which share of it they fill stands among the parts."""

    name, higher_is_better = "faces", False

    def __init__(self, finder: YuNet) -> None:
        self.finder, self.reader = finder, finder.name

    def __call__(self, pictures: Sequence[Image.Image], requests: Sequence[Request]) -> list[Measurement]:
        """One number a picture; the request is not read."""
        return [measured(self.finder(picture), picture) for picture in pictures]


def measured(boxes: Boxes, picture: Image.Image) -> Measurement:
    """Their number, and the sum of their areas over the picture's."""
    area = float(np.prod(boxes[:, 2:] - boxes[:, :2], axis=1).sum()) / (picture.width * picture.height)
    return Measurement(value=float(len(boxes)), parts={"share": area})
