"""The captions of a listing's pictures, listed beside it in the same row groups, for a profile to read."""

import json
from collections.abc import Iterator
from pathlib import Path

from ..captions import captions_of
from ..engine import parquet, write_listing
from ..engine.output import row_groups

TOGETHER = 4096  # pictures for which each folder's tables are read once
COLUMNS = (("path", "string"), ("captions", "string"))


def list_captions(listing: Path, captions: Path, rows: int) -> str:
    """Write a row with all captions, as JSON, for each of the listing's, and return the SHA-256 of them."""
    return write_listing(read_captions(listing, rows), COLUMNS, captions, rows)


def read_captions(listing: Path, rows: int) -> Iterator[tuple[str, str]]:
    """Paths with their captions."""
    waiting: list[str] = []
    for table in row_groups(listing, ["path"]):
        waiting += table["path"].to_pylist()
        if len(waiting) + rows > TOGETHER:
            yield from with_captions(waiting)
            waiting = []
    yield from with_captions(waiting)


def with_captions(paths: list[str]) -> Iterator[tuple[str, str]]:
    """Of some."""
    for path, said in zip(paths, captions_of(paths), strict=True):
        yield path, json.dumps(said, ensure_ascii=False)


def captions_in(captions: Path, partition: int) -> list[list[str]]:
    """Those of a partition's pictures."""
    with parquet().ParquetFile(captions) as opened:
        listed = opened.read_row_group(partition, columns=["captions"])["captions"].to_pylist()
    return [json.loads(each) for each in listed]
