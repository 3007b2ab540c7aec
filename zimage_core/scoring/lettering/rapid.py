"""PP-OCRv6 through `rapidocr`, whose wheel carries the models, so that nothing is downloaded."""

import os
import sys
from collections.abc import Sequence
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from .reader import Line, ReaderError

MODELS = {  # the wheel's files; without their paths rapidocr would fetch what it misses
    "Det": "PP-OCRv6_det_small.onnx",
    "Rec": "PP-OCRv6_rec_small.onnx",
    "Cls": "ch_ppocr_mobile_v2.0_cls_mobile.onnx",
}
PACKAGES = ("rapidocr", "onnxruntime")
LONGEST = 4  # sides of a picture, long to short
INSTALL = f'"{sys.executable}" -m pip install "rapidocr>=3.10" onnxruntime'


class RapidReader:
    """Reads English and Chinese, mixed too, on the CPU with a chosen number of threads."""

    scripts = ("LATIN", "CJK", "HIRAGANA", "KATAKANA", "KATAKANA-HIRAGANA", "GREEK")  # of the model's alphabet

    def __init__(self, threads: int = 2) -> None:
        self.threads = max(1, min(threads, os.cpu_count() or 1))

    @property
    def name(self) -> str:
        """Model and package."""
        try:
            return f"PP-OCRv6 small (rapidocr {version('rapidocr')})"
        except PackageNotFoundError:
            raise ReaderError(f"reading text needs the package rapidocr; install it with: {INSTALL}") from None

    @cached_property
    def _engine(self) -> Any:
        absent = [package for package in PACKAGES if find_spec(package) is None]
        if absent:
            raise ReaderError(f"reading text needs the package {absent[0]}; install it with: {INSTALL}")
        import rapidocr

        folder = Path(rapidocr.__file__).parent / "models"
        missing = [name for name in MODELS.values() if not (folder / name).is_file()]
        if missing:
            raise ReaderError(f"this rapidocr has no model {missing[0]}; install one that has with: {INSTALL}")
        threads = "EngineConfig.onnxruntime.{}_op_num_threads"
        return rapidocr.RapidOCR(
            params={
                "Global.log_level": "error",
                threads.format("intra"): self.threads,
                threads.format("inter"): 1,
                **{f"{task}.model_path": str(folder / file) for task, file in MODELS.items()},
            }
        )

    def read(self, picture: Image.Image, language: str) -> Sequence[Line]:
        """Lines from top to bottom; one model reads both languages."""
        blue_first = np.ascontiguousarray(np.asarray(widened(picture.convert("RGB")))[:, :, ::-1])
        found = self._engine(blue_first)
        if found.txts is None:
            return []
        return [
            Line(text=text, confidence=float(confidence), box=(*corners.min(0).tolist(), *corners.max(0).tolist()))
            for text, confidence, corners in zip(found.txts, found.scores, found.boxes, strict=True)
        ]


def widened(picture: Image.Image) -> Image.Image:
    """A picture no longer than four times its short side: a narrower one gets a margin in the colour of its corner.

    The reader enlarges a picture until its short side has 736 pixels: one of 7x2000 would take 17 GB.
    """
    width, height = picture.size
    least = max(width, height) // LONGEST
    if min(width, height) >= least:
        return picture
    canvas = Image.new("RGB", (max(width, least), max(height, least)), picture.getpixel((0, 0)))
    canvas.paste(picture, (0, 0))
    return canvas
