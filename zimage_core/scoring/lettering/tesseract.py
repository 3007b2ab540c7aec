"""Tesseract through its command, as a reader that shares nothing with PP-OCR."""

import csv
import io
import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import groupby

from PIL import Image

from .reader import Line, ReaderError

LANGUAGES = {"en": "eng", "zh": "chi_sim+eng"}
SPARSE = "11"  # page segmentation: text anywhere, in no order, as on signs; the default expects a page
SECONDS = 120
INSTALL = "apt-get install tesseract-ocr tesseract-ocr-chi-sim (or your system's packages of that name)"
WORD = "5"  # a TSV row's level


class TesseractReader:
    """Reads with the `tesseract` program on the search path."""

    scripts = ("LATIN", "CJK")

    def __init__(self, threads: int = 1, command: str = "tesseract") -> None:
        self.threads, self.command = threads, command

    @property
    def name(self) -> str:
        """The program's own version."""
        return self._version

    @cached_property
    def _version(self) -> str:
        return self._run("--version").decode(errors="replace").splitlines()[0].strip()

    def read(self, picture: Image.Image, language: str) -> Sequence[Line]:
        """Its lines; their confidence is the mean of their words'."""
        stored = io.BytesIO()
        picture.convert("RGB").save(stored, "PNG", compress_level=1)
        answer = self._run(
            "stdin", "stdout", "-l", LANGUAGES[language], "--psm", SPARSE, "tsv", given=stored.getvalue()
        )
        return list(lines_of(answer.decode(errors="replace"), is_spaced=language != "zh"))

    def _run(self, *arguments: str, given: bytes = b"") -> bytes:
        program = shutil.which(self.command)
        if program is None:
            raise ReaderError(f"there is no program {self.command!r} here; install it with: {INSTALL}")
        env = {**os.environ, "OMP_THREAD_LIMIT": str(self.threads)}
        try:
            done = subprocess.run([program, *arguments], input=given, capture_output=True, timeout=SECONDS, env=env)
        except subprocess.TimeoutExpired:
            raise ReaderError(f"tesseract did not finish a picture within {SECONDS} seconds") from None
        if done.returncode:
            said = done.stderr.decode(errors="replace").strip().splitlines() or ["nothing"]
            raise ReaderError(f"tesseract failed and said {said[-1]!r}; for languages it lacks: {INSTALL}")
        return done.stdout


def lines_of(table: str, is_spaced: bool) -> Iterator[Line]:
    """The lines of tesseract's TSV, whose rows of level 5 are words; Chinese ones are joined without spaces."""
    rows = csv.DictReader(io.StringIO(table), delimiter="\t", quoting=csv.QUOTE_NONE)
    words = [row for row in rows if row["level"] == WORD and (row["text"] or "").strip()]
    for _, of_line in groupby(
        words, lambda row: tuple(row[key] for key in ("page_num", "block_num", "par_num", "line_num"))
    ):
        line = list(of_line)
        edges = [(float(r["left"]), float(r["top"]), float(r["width"]), float(r["height"])) for r in line]
        yield Line(
            text=(" " if is_spaced else "").join(row["text"] for row in line),
            confidence=sum(float(row["conf"]) for row in line) / len(line) / 100,
            box=(
                min(left for left, _, _, _ in edges),
                min(top for _, top, _, _ in edges),
                max(left + width for left, _, width, _ in edges),
                max(top + height for _, top, _, height in edges),
            ),
        )
