"""Aesthetic heads: a few linear layers over CLIP features, from a safetensors file of the user's."""

import re
from collections.abc import Sequence
from pathlib import Path

import torch
from PIL import Image
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor
from torch.nn import functional as F

from ..._shapes import Float
from ..model_folder import ModelFolderError, first_line
from ..score import Measurement, Request
from .encoder import PictureEncoder

NUMBER = re.compile(r"\d+")


class AestheticHead:
    """Layers in the order of their numbers, without anything between them.

    So are LAION's linear head and its improved MLP, whose dropouts do nothing outside training and whose activations
    were never switched on.
    """

    def __init__(self, file: str | Path) -> None:
        path = Path(file).expanduser()
        if path.suffix != ".safetensors":
            raise ModelFolderError(f"{path.name} may run code when it is read; convert the head to a .safetensors file")
        try:
            tensors = load_file(path)
        except (OSError, SafetensorError) as error:
            raise ModelFolderError(f"{path} cannot be read as safetensors: {first_line(error)}") from error
        self.name, self.layers = path.stem, layers_of(tensors, path)

    @property
    def width(self) -> int:
        """How many features it reads."""
        return self.layers[0][0].shape[1]

    def __call__(self, features: Float[Tensor, "n c"]) -> Float[Tensor, " n"]:
        """A number for each vector of length 1."""
        x = features.float()
        for weight, bias in self.layers:
            x = F.linear(x, weight, bias)
        return x[:, 0]


def layers_of(tensors: dict[str, Tensor], path: Path) -> list[tuple[Tensor, Tensor]]:
    """Weights and biases by number; raises `ModelFolderError` where they do not lead to one number."""
    keys = sorted(
        (key for key in tensors if key.endswith("weight")), key=lambda key: [int(n) for n in NUMBER.findall(key)]
    )
    layers = [(tensors[key].float(), tensors[key.removesuffix("weight") + "bias"].float()) for key in keys]
    shapes = [tuple(weight.shape) for weight, _ in layers]
    widths = [*(shape[-1] for shape in shapes[1:]), 1]
    if not shapes or any(len(shape) != 2 or shape[0] != width for shape, width in zip(shapes, widths, strict=True)):
        raise ModelFolderError(
            f"{path.name} is no chain of linear layers that ends in one number; its weights are {shapes}"
        )
    return layers


class AestheticScore:
    """A head's number for a picture, on the head's own scale, LAION's about 1 to 10."""

    name, higher_is_better = "aesthetic", True

    def __init__(self, encoder: PictureEncoder, head: AestheticHead) -> None:
        self.encoder, self.head = encoder, head
        self.reader = f"{head.name} on {encoder.name}"

    @torch.inference_mode()
    def __call__(self, pictures: Sequence[Image.Image], requests: Sequence[Request]) -> list[Measurement]:
        """One number a picture; the request is not read."""
        if not pictures:
            return []
        features = self.encoder.pictures(pictures)
        if features.shape[1] != self.head.width:
            raise ModelFolderError(
                f"{self.head.name} reads {self.head.width} features and {self.encoder.name} gives {features.shape[1]}; "
                "a head belongs to the CLIP it was trained with, LAION's to ViT-L/14"
            )
        return [Measurement(value=value) for value in self.head(features).tolist()]
