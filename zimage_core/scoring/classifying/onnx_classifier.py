"""A classifier of pictures in an ONNX file, with what stands beside it about its input and its classes.

`preprocessor_config.json` and `config.json` beside the file are read as transformers and Optimum write them: size, mean
and deviation, labels. Without the first, levels are given as 0 to 1.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from ..._shapes import Float
from ..model_folder import ModelFolderError
from .onnx_file import onnx_session

USUAL_SIDE = 224  # pixels, where neither the model nor a file beside it tells
TOLERANCE = 1e-3  # of a sum of probabilities


class OnnxClassifier:
    """Squeezes a picture to the model's size; numbers that are no probabilities yet become such by softmax."""

    def __init__(self, file: str | Path) -> None:
        path = Path(file).expanduser()
        self.session: Any = onnx_session(path)
        self.name = path.name
        given = self.session.get_inputs()
        shape = list(given[0].shape)
        if len(given) != 1 or len(shape) != 4 or given[0].type not in ("tensor(float)", "tensor(float16)"):
            told = ", ".join(f"{each.name} {each.shape} {each.type}" for each in given)
            raise ModelFolderError(f"{path.name} does not take one picture of real numbers; its inputs are {told}")
        self.input, self.dtype = given[0].name, np.float16 if "16" in given[0].type else np.float32
        self.channels_last = shape[3] == 3
        around = beside(path, "preprocessor_config.json")
        sides = shape[1:3] if self.channels_last else shape[2:4]
        self.height, self.width = sides_of(sides, around.get("size"))
        self.mean, self.deviation = (
            np.array(around.get(key) or usual, np.float32)
            for key, usual in (("image_mean", [0.0] * 3), ("image_std", [1.0] * 3))
        )
        named: dict[str, str] = beside(path, "config.json").get("id2label") or {}
        self.labels = [named[key] for key in sorted(named, key=int)]

    def __call__(self, pictures: Sequence[Image.Image]) -> Float[Tensor, "n k"]:
        """Probabilities; a model with one output keeps its number."""
        return torch.from_numpy(np.concatenate([self._one(picture) for picture in pictures]))

    def _one(self, picture: Image.Image) -> NDArray[np.float32]:
        small = picture.convert("RGB").resize((self.width, self.height), Image.Resampling.BICUBIC)
        levels = (np.asarray(small, np.float32) / 255 - self.mean) / self.deviation
        levels = levels if self.channels_last else levels.transpose(2, 0, 1)
        found = self.session.run(None, {self.input: levels[None].astype(self.dtype)})[0]
        return probabilities(np.asarray(found, np.float32).reshape(1, -1))


def probabilities(numbers: NDArray[np.float32]) -> NDArray[np.float32]:
    """Of logits (1 k) by softmax; of what already adds up to 1, or is a single number, the same."""
    is_done = numbers.min() >= 0 and abs(float(numbers.sum()) - 1) < TOLERANCE
    if numbers.shape[1] == 1 or is_done:
        return numbers
    powers = np.exp(numbers - numbers.max())
    return powers / powers.sum()


def sides_of(shape: Sequence[object], told: Any) -> tuple[int, int]:
    """Height and width: the model's own where they are fixed, else those of the file beside it."""
    if all(isinstance(side, int) and side > 0 for side in shape):
        return int(str(shape[0])), int(str(shape[1]))
    if isinstance(told, dict):
        height, width = (told.get(key, told.get("shortest_edge", USUAL_SIDE)) for key in ("height", "width"))
        return int(height), int(width)
    return (int(told), int(told)) if isinstance(told, int) else (USUAL_SIDE, USUAL_SIDE)


def beside(path: Path, name: str) -> dict[str, Any]:
    """A JSON file beside a model; nothing where there is none."""
    file = path.with_name(name)
    if not file.is_file():
        return {}
    try:
        found = json.loads(file.read_text("utf-8"))
    except ValueError as error:
        raise ModelFolderError(f"{file} is not JSON; correct it or remove it") from error
    return found if isinstance(found, dict) else {}
