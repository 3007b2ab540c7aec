"""How much a prompt's pictures differ from one another, as OneIG-Bench measures it (arXiv 2506.07977)."""

from collections.abc import Sequence
from itertools import groupby

import torch
from PIL import Image
from torch import Tensor

from ..._shapes import Float
from ..score import Measurement, Request
from .encoder import PictureEncoder

ALONE = "it takes two pictures of a prompt to tell how much they differ"


class DiversityScore:
    """A picture's mean cosine distance to the others of its prompt.

    Their mean is the mean over all pairs, OneIG's number, on the encoder's own scale: OneIG's is DreamSim's.
    """

    name, higher_is_better, least_pictures = "diversity", True, 2

    def __init__(self, encoder: PictureEncoder) -> None:
        self.encoder = encoder

    @property
    def reader(self) -> str:
        """The encoder."""
        return self.encoder.name

    def __call__(self, pictures: Sequence[Image.Image], requests: Sequence[Request]) -> list[Measurement]:
        """One number a picture; those of a prompt stand together and share one request object."""
        if not pictures:
            return []
        features = self.encoder.pictures(pictures)
        found: list[Measurement] = []
        for _, together in groupby(requests, key=id):
            n = len(list(together))
            found += measured(features[len(found) : len(found) + n])
        return found


def measured(features: Float[Tensor, "n c"]) -> list[Measurement]:
    """Each one's mean distance to the others."""
    n = len(features)
    if n < DiversityScore.least_pictures:
        return [Measurement.missing(ALONE)] * n
    units = torch.nn.functional.normalize(features.double(), dim=-1)
    distances = (1 - units @ units.T).fill_diagonal_(0).clamp(min=0).sum(1) / (n - 1)
    return [Measurement(value=value, parts={"pictures": n}) for value in distances.tolist()]
