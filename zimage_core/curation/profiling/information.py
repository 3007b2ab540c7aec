"""How much is in a picture, without a model: the measures of Z-Image's report (arXiv 2511.22699, section 2.1)."""

import io
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

JPEG_QUALITY = 75
LONGEST = 4096  # pixels; larger pictures are reduced before they are encoded again
BORDER = 0.02  # of the shorter side


def compression_ratio(picture: Image.Image, file_bytes: int) -> float:
    """Bytes of the pixels, three each, over bytes of the file: high where much was thrown away."""
    return 3 * picture.width * picture.height / file_bytes


def jpeg_bits_per_pixel(picture: Image.Image) -> float:
    """Bits a pixel takes as a JPEG of quality 75, whatever it was before: low for what is empty or blurred."""
    reduced = picture
    if max(picture.size) > LONGEST:
        reduced = picture.copy()
        reduced.thumbnail((LONGEST, LONGEST), Image.Resampling.BOX)
    stored = io.BytesIO()
    reduced.save(stored, "JPEG", quality=JPEG_QUALITY)
    return 8 * stored.tell() / (reduced.width * reduced.height)


def border_variance(levels: NDArray[np.uint8]) -> float:
    """Variance of the levels in a frame of 2 % of the shorter side, the mean of the channels: 0 for one colour."""
    height, width = levels.shape[:2]
    wide = max(1, round(BORDER * min(height, width)))
    inside = np.zeros((height, width), dtype=bool)
    inside[wide : height - wide, wide : width - wide] = True
    return float(levels[~inside].astype(np.float64).var(axis=0).mean())


def entropy(counts: Sequence[int]) -> float:
    """Bits per pixel of a histogram of the luma: 0 for one level, 8 where all 256 are as frequent."""
    shares = np.array([count for count in counts if count]) / sum(counts)
    return float(-(shares * np.log2(shares)).sum()) + 0.0  # no negative zero
