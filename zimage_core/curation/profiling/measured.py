"""One file of a folder as a row of the profile: plain functions of bytes and arrays, put together."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ...scoring.statistics import banding, contrast, noise, saturation, seam_strength, sharpness
from .detail import detail
from .folder_walk import Found
from .identity import perceptual_hash, sha256
from .information import border_variance, compression_ratio, entropy, jpeg_bits_per_pixel
from .opened import Header, open_file, read_bytes
from .technical import BLOCK, blocking, brightness, dark_share, frame_share, light_share

WINDOW = 1024  # pixels of the middle in which sharpness, noise and traces are measured, at the file's own size
SMALLEST = 18  # pixels that `scoring.statistics` needs for its lines


def row_of(found: Found, most_pixels: int, *, keep_dates: bool) -> dict[str, Any]:
    """All columns of one file; those of a damaged one are empty but for what is known."""
    content, problem = (b"", found.problem) if found.problem else read_bytes(Path(found.path))
    row: dict[str, Any] = {"path": found.path, "problem": problem}
    if problem:
        return row
    row |= {"bytes": len(content), "sha256": sha256(content)}
    opened = open_file(Path(found.path), content, most_pixels)
    row["problem"] = opened.problem
    if opened.picture is None or opened.header is None:
        return row
    return row | told(opened.header, keep_dates=keep_dates) | measures(opened.picture, len(content))


def told(header: Header, *, keep_dates: bool) -> dict[str, Any]:
    """What the file says of itself."""
    return {
        "format": header.format,
        "mode": header.mode,
        "bits": header.bits,
        "frames": header.frames,
        "orientation": header.orientation,
        "date": header.date if keep_dates else "",
        "right_ending": header.has_right_ending,
        "width": header.width,
        "height": header.height,
        "encoding_quality": header.encoding_quality,
    }


def measures(picture: Image.Image, file_bytes: int) -> dict[str, Any]:
    """What its pixels say, of an upright RGB picture."""
    levels, luma = np.asarray(picture), picture.convert("L")
    middle = window(levels).astype(np.float64)
    grey = window(np.asarray(luma)).astype(np.float64)
    has_lines = min(grey.shape) >= SMALLEST
    return {
        "perceptual_hash": perceptual_hash(picture),
        "megapixels": picture.width * picture.height / 1e6,
        "aspect": picture.width / picture.height,
        "compression_ratio": compression_ratio(picture, file_bytes),
        "jpeg_bpp": jpeg_bits_per_pixel(picture),
        "border_variance": border_variance(levels),
        "entropy": entropy(luma.histogram()),
        "sharpness": sharpness(middle) if has_lines else None,
        "detail": detail(middle),
        "noise": noise(middle) if has_lines else None,
        "banding": banding(middle) if has_lines else None,
        "seams": seam_strength(middle) if has_lines else None,
        "contrast": contrast(middle),
        "saturation": saturation(middle),
        "brightness": brightness(grey),
        "dark_share": dark_share(grey),
        "light_share": light_share(grey),
        "blocking": blocking(grey),
        "frame_share": frame_share(np.asarray(luma.reduce(max(1, max(luma.size) // WINDOW)), np.float64)),
    }


def window(levels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The middle of a large picture, beginning on JPEG's grid; all of a small one."""
    top, left = ((max(0, side - WINDOW) // 2 // BLOCK) * BLOCK for side in levels.shape[:2])
    return levels[top : top + WINDOW, left : left + WINDOW]
