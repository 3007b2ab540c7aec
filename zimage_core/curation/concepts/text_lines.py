"""Lines of large text files, compressed or not, one in memory at a time; what is wrong with a file in a sentence."""

import gzip
import io
import zlib
from collections.abc import Iterator
from pathlib import Path

from ...regular_file import irregularity


def raw_lines(file: Path) -> Iterator[tuple[int, bytes]]:
    """Numbers and lines of a file; one named .gz is unpacked on the way."""
    if why := missing_or_irregular(file):
        raise ValueError(f"{file} cannot be read: it {why}")
    with open_file(file) as opened:
        try:
            yield from enumerate(opened, 1)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise ValueError(f"{file} is cut off or no gzip file ({error}): fetch it again") from error


def missing_or_irregular(file: Path) -> str | None:
    """Why it is no file."""
    try:
        return irregularity(file)
    except FileNotFoundError:
        return "is not there"


def open_file(file: Path) -> io.BufferedReader | gzip.GzipFile:
    """For reading bytes, unpacked."""
    return gzip.open(file, "rb") if file.suffix == ".gz" else file.open("rb")


def lines_of(file: Path) -> Iterator[tuple[int, str]]:
    """Numbers and lines of a file in UTF-8, without their ends; empty ones are left out."""
    for number, line in raw_lines(file):
        try:
            text = line.decode().rstrip("\r\n")
        except UnicodeDecodeError as error:
            raise ValueError(f"{file}, line {number} is not UTF-8 text: save it as UTF-8") from error
        if text.strip():
            yield number, text
