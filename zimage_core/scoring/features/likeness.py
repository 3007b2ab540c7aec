"""How alike pictures are to one of the user's, by what a vision model sees in them."""

from collections.abc import Sequence

from PIL import Image

from ..score import Measurement, Request
from .encoder import PictureEncoder


class LikenessScore:
    """Cosine between a picture's features and those of a reference; 1 for the same picture."""

    name, higher_is_better = "likeness", True

    def __init__(self, encoder: PictureEncoder, reference: Image.Image) -> None:
        self.encoder, self.reference = encoder, reference
        self.reader = encoder.name

    def __call__(self, pictures: Sequence[Image.Image], requests: Sequence[Request]) -> list[Measurement]:
        """One number a picture; the request is not read."""
        if not pictures:
            return []
        features = self.encoder.pictures([self.reference, *pictures])
        return [Measurement(value=value) for value in (features[1:] @ features[0]).tolist()]
