"""Pictures as vectors without any model: what is seen of them from afar."""

from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from ..._shapes import Float

SIDE = 16  # pixels


class Thumbnails:
    """The levels of a picture at 16x16 pixels around mid-grey: two that differ in layout or colour are far apart."""

    name = "thumbnails 16x16"

    def pictures(self, pictures: Sequence[Image.Image]) -> Float[Tensor, "n c"]:
        """A vector of length 1 each; of an even mid-grey, which has no direction, that of white."""
        return torch.stack([self._one(picture) for picture in pictures])

    def _one(self, picture: Image.Image) -> Float[Tensor, " c"]:
        small = picture.convert("RGB").resize((SIDE, SIDE), Image.Resampling.BOX)
        levels = torch.from_numpy(np.asarray(small, dtype=np.float32) / 127.5 - 1).flatten()
        return F.normalize(levels if levels.any() else torch.ones_like(levels), dim=-1)
