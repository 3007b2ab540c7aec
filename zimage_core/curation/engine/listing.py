"""What a stage is given where its source is no parquet file: rows of any number, listed as row groups."""

import hashlib
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

from ...atomic_file import write_atomically
from .libraries import arrow, parquet


def write_listing(
    rows: Iterator[Sequence[object]], columns: Sequence[tuple[str, str]], listing: Path, group: int
) -> str:
    """Write all rows, `group` in a row group, and return the SHA-256 of them; one group is in memory.

    `columns` are names with Arrow's types.
    """
    digest, schema = hashlib.sha256(), arrow().schema(list(columns))

    def write(opened: object) -> None:
        with parquet().ParquetWriter(opened, schema) as writer:
            while some := list(islice(rows, group)):
                digest.update(repr(some).encode())
                values = [list(column) for column in zip(*some, strict=True)]
                writer.write_table(arrow().table(values, schema=schema), row_group_size=group)

    write_atomically(listing, write)
    return digest.hexdigest()
