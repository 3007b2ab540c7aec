"""A look: a picture in 64x64 pixels, by which two candidates are compared directly."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

LOOK = 64  # pixels a side; in 32 a small circle is a small square

Looks = NDArray[np.uint8]  # (n 64 64 3)


def look_of(picture: Image.Image) -> NDArray[np.uint8]:
    """RGB levels (64 64 3), each the mean of what it covers; the aspect is not kept."""
    return np.asarray(picture.convert("RGB").resize((LOOK, LOOK), Image.Resampling.BOX))
