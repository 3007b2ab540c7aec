"""A linear layer over an encoder's features, from a safetensors file: one logit, or one for each class."""

from collections.abc import Sequence
from pathlib import Path

import torch
from PIL import Image
from safetensors import SafetensorError, safe_open
from torch import Tensor
from torch.nn import functional as F

from ..._shapes import Float
from ..features import PictureEncoder
from ..model_folder import ModelFolderError, first_line
from .class_score import probabilities

LABELS = "labels"  # in the file's metadata: names of the classes, with commas between them


class LinearHead:
    """Logits are W x + b of a picture's vector x of length 1; probabilities by sigmoid for one, softmax for more.

    The file holds one tensor (classes, features) or (features), and at most one more, the bias.
    """

    def __init__(self, encoder: PictureEncoder, file: str | Path) -> None:
        path = Path(file).expanduser()
        try:
            with safe_open(path, "pt") as opened:
                tensors = {key: opened.get_tensor(key).float() for key in opened.keys()}  # noqa: SIM118
                labels = (opened.metadata() or {}).get(LABELS, "")
        except (OSError, SafetensorError) as error:
            raise ModelFolderError(f"{path} cannot be read as safetensors: {first_line(error)}") from error
        self.encoder, self.name = encoder, f"{path.name} on {encoder.name}"
        self.labels = [each.strip() for each in labels.split(",") if each.strip()]
        self.weight, self.bias = layer_of(tensors, path)

    @torch.inference_mode()
    def __call__(self, pictures: Sequence[Image.Image]) -> Float[Tensor, "n k"]:
        """Probabilities."""
        features = self.encoder.pictures(pictures)
        if features.shape[1] != self.weight.shape[1]:
            raise ModelFolderError(
                f"{self.name}: the head reads {self.weight.shape[1]} features, the encoder gives {features.shape[1]}; "
                "a head belongs to the encoder it was trained with"
            )
        logits = F.linear(features.float(), self.weight, self.bias)
        return probabilities(logits)


def layer_of(tensors: dict[str, Tensor], path: Path) -> tuple[Tensor, Tensor]:
    """Weight (k c) and bias (k). Raises `ModelFolderError` for a file with more in it than one layer."""
    weights = [key for key in tensors if key.endswith(("weight", "coef_"))]
    others = [key for key in tensors if key not in weights]
    shapes = {key: tuple(each.shape) for key, each in tensors.items()}
    if len(weights) != 1 or len(others) > 1 or tensors[weights[0]].ndim > 2:
        raise ModelFolderError(
            f"{path.name} is no single linear layer; its tensors are {shapes}. What lies between several layers stands "
            "in no such file: export the classifier to ONNX"
        )
    weight = torch.atleast_2d(tensors[weights[0]])
    bias = tensors[others[0]].flatten() if others else torch.zeros(len(weight))
    if len(bias) != len(weight):
        raise ModelFolderError(f"{path.name}: weight and bias do not fit each other; their shapes are {shapes}")
    return weight, bias
