"""Sizes pictures are trained at: their own shape at a common area, with whole patches."""

from PIL import Image

PATCH = 16  # pixels: 8 of a latent cell, 2 cells of a patch


def bucket_size(size: tuple[int, int], area: int) -> tuple[int, int]:
    """Width and height, multiples of 16, for a picture of `size` in pixels.

    The shape is kept as nearly as patches allow and the area stays at or below `area`; a smaller picture is not
    enlarged. Raises ValueError for a side shorter than a patch.
    """
    width, height = size
    if min(size) < PATCH:
        raise ValueError(f"a picture of {width}x{height} pixels is too small: both sides must be at least {PATCH}")
    scale = min(1.0, (area / (width * height)) ** 0.5)
    wide, high = (max(1, int(side * scale / PATCH + 1e-6)) for side in size)
    # one more column or row where that keeps the area and comes nearer to the picture's shape
    shapes = [(wide + more, high + taller) for more in (0, 1) for taller in (0, 1)]
    possible = [shape for shape in shapes if _fits(shape, size, area)] or [(wide, high)]
    best = min(possible, key=lambda shape: (round(_distortion(shape, size), 3), -shape[0] * shape[1]))
    return best[0] * PATCH, best[1] * PATCH


def fit_to_size(picture: Image.Image, size: tuple[int, int]) -> Image.Image:
    """Scaled (Lanczos) until it covers `size`, then cropped around the middle."""
    scale = max(wanted / side for wanted, side in zip(size, picture.size, strict=True))
    width, height = (max(wanted, round(side * scale)) for wanted, side in zip(size, picture.size, strict=True))
    if (width, height) != picture.size:
        picture = picture.resize((width, height), Image.Resampling.LANCZOS)
    left, top = (width - size[0]) // 2, (height - size[1]) // 2
    return picture.crop((left, top, left + size[0], top + size[1]))


def _fits(shape: tuple[int, int], size: tuple[int, int], area: int) -> bool:
    """Whether so many patches stay within the area and within the picture."""
    wide, high = shape
    return wide * high * PATCH**2 <= area and wide * PATCH <= size[0] and high * PATCH <= size[1]


def _distortion(shape: tuple[int, int], size: tuple[int, int]) -> float:
    """How much of the picture is cropped away, as a share of its longer excess; 0 for the same shape."""
    ratio = (shape[0] / shape[1]) / (size[0] / size[1])
    return max(ratio, 1 / ratio) - 1
