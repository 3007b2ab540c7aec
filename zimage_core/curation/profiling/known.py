"""What an earlier profile of the same pictures tells: a new column costs only its own model."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..engine import parquet, read_record

LEARNED = "learned"  # of a profile's parameters: the identities of learned columns, by name


@dataclass(frozen=True)
class Known:
    """A profile that is there already, and which of its learned columns are those that are wanted."""

    file: Path
    learned: frozenset[str]

    def rows(self, partition: int) -> list[dict[str, Any]]:
        """Those of a partition, which is a row group of it."""
        with parquet().ParquetFile(self.file) as opened:
            return opened.read_row_group(partition).to_pylist()


def known_from(
    file: Path | None, version: int, inputs: str, parameters: Mapping[str, Any], learned: Mapping[str, Sequence[str]]
) -> Known | None:
    """What a file knows; None where it is another version's, of other pictures, or made with other parameters."""
    record = read_record(file) if file else None
    if file is None or record is None or (record.stage, record.version, record.inputs) != ("profile", version, inputs):
        return None
    if {name: value for name, value in record.parameters.items() if name != LEARNED} != dict(parameters):
        return None
    before = record.parameters.get(LEARNED, {})
    return Known(file, frozenset(name for name, told in learned.items() if before.get(name) == list(told)))
