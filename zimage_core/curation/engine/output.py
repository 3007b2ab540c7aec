"""A stage's output: one parquet file that tells what it was made of, and the partitions it grows from.

Partitions lie in a hidden folder beside the output, each whole or not there, until all of them are.
"""

import errno
import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ...atomic_file import write_atomically
from .libraries import parquet

METADATA = b"zimage"  # the key in a parquet file's metadata


@dataclass(frozen=True, kw_only=True)
class Record:
    """What an output was made of, and what was found on the way."""

    stage: str
    version: int  # of the stage: another one gives other rows
    key: str  # SHA-256 of stage, version, parameters and inputs
    inputs: str  # SHA-256 of what was read
    parameters: Mapping[str, Any]
    summary: Mapping[str, Any] = field(default_factory=dict[str, Any])


def read_record(file: Path) -> Record | None:
    """The record of an output; None for a file that is not there, is no parquet, or comes from elsewhere."""
    if not file.is_file():
        return None
    try:
        metadata: Mapping[bytes, bytes] = parquet().read_schema(file).metadata or {}
        return Record(**json.loads(metadata[METADATA]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def record_of_stage(file: Path, stage: str, columns: Sequence[str]) -> Record:
    """The record of another stage's output that is to be read, with these columns; a sentence where it is none."""
    if not file.exists():
        raise ValueError(f"there is no file {file}: give one that `zimage data {stage}` wrote")
    record = read_record(file)
    if record is None or record.stage != stage:
        raise ValueError(f"{file} is not from `zimage data {stage}`: give a file that this wrote")
    if missing := sorted(set(columns) - set(parquet().read_schema(file).names)):
        raise ValueError(
            f"{file} lacks {', '.join(missing)}: run `zimage data {stage}` again, whose columns are needed"
        )
    return record


def check_replaceable(out: Path, stage: str) -> None:
    """Refuse to write over a file that the same stage has not written: its own input, or somebody's data set."""
    record = read_record(out)
    if out.exists() and (record is None or record.stage != stage):
        raise ValueError(
            f"{out} is there already and is not from `zimage data {stage}`: give --out another name, or remove the file"
        )


@dataclass(frozen=True)
class Parts:
    """The partitions of an output that is being made."""

    out: Path
    key: str

    @property
    def folder(self) -> Path:
        """Where they are."""
        return self.out.with_name(f".{self.out.name}.{self.key[:12]}.parts")

    def file(self, partition: int) -> Path:
        """That of one."""
        return self.folder / f"{partition:08d}.parquet"

    def missing(self, count: int) -> list[int]:
        """Those that are not there yet."""
        return [each for each in range(count) if not self.file(each).is_file()]

    def write(self, partition: int, table: Any) -> None:
        """Whole or not at all; no rows is a partition, too."""
        write_atomically(self.file(partition), lambda opened: parquet().write_table(table, opened))

    def merge(self, count: int, record: Record) -> None:
        """Make the output of all of them, one in memory at a time, and remove them."""
        files = [self.file(each) for each in range(count)]
        try:
            write_atomically(self.out, lambda opened: write_rows(opened, files, record))
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
            raise ValueError(self.no_room(files)) from error
        self.remove()

    def no_room(self, files: Sequence[Path]) -> str:
        """The sentence about a disk that became full while the output was written."""
        size, free = sum(file.stat().st_size for file in files), shutil.disk_usage(self.folder).free
        return (
            f"the disk is full: {self.out} takes about {size / 1e6:,.1f} MB beside the parts it is made of, and "
            f"{free / 1e6:,.1f} MB are free; all parts are kept, so make room and give the same command again, which "
            "only puts them together"
        )

    def remove(self) -> None:
        """Remove them, and what earlier runs with other parameters left for the same output."""
        for folder in self.out.parent.glob(f".{glob_literal(self.out.name)}.{'[0-9a-f]' * 12}.parts"):
            shutil.rmtree(folder, ignore_errors=True)


def write_rows(opened: Any, files: Sequence[Path], record: Record) -> None:
    """One parquet file of several with the same columns; each becomes a row group, unless it is empty."""
    first = parquet().read_schema(files[0])
    content = json.dumps(asdict(record), ensure_ascii=False, sort_keys=True).encode()
    with parquet().ParquetWriter(opened, first.with_metadata({METADATA: content})) as writer:
        for table in map(parquet().read_table, files):
            if table.num_rows:
                writer.write_table(table, row_group_size=table.num_rows)


def row_groups(file: Path, columns: Sequence[str] | None = None, groups: range | None = None) -> Iterator[Any]:
    """A parquet file's tables, one row group at a time; all of them, or those with some numbers."""
    with parquet().ParquetFile(file) as opened:
        for group in range(opened.num_row_groups) if groups is None else groups:
            yield opened.read_row_group(group, columns=None if columns is None else list(columns))


def glob_literal(name: str) -> str:
    """A name as a pattern that fits nothing else."""
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in name)
