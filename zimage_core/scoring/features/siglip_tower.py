"""The vision tower that Omni and Edit models look through, as an encoder of whole pictures."""

from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from ..._shapes import Float
from ...vision import Siglip2, prepare


class SiglipTower:
    """The mean of a picture's patch features; its words' side is not part of the family's files."""

    name = "SigLIP 2 patches, mean"

    def __init__(self, tower: Siglip2) -> None:
        self.tower = tower

    @torch.inference_mode()
    def pictures(self, pictures: Sequence[Image.Image]) -> Float[Tensor, "n c"]:
        """One at a time, as each keeps its own shape."""
        return torch.stack([self._one(picture) for picture in pictures])

    def _one(self, picture: Image.Image) -> Float[Tensor, " c"]:
        weight = next(self.tower.parameters())
        levels = torch.from_numpy(np.array(picture.convert("RGB"))).to(weight.device).float() / 255
        pixels = prepare(levels, self.tower.config)
        return F.normalize(self.tower(pixels[None].to(weight.dtype)).float().mean((1, 2))[0], dim=-1).cpu()
