"""The authors' prompt files: JSON, lines of JSON and CSV, with a sentence for whatever is missing or malformed.

The files are the user's own; none is downloaded, and none comes with the pack.
"""

import csv
import io
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..regular_file import irregularity

PLAIN_NAME = re.compile(r"(?!\.+$)[\w.+ -]{1,128}")  # of a file or a folder, which leads nowhere else


@dataclass(frozen=True)
class Record:
    """One record of a file; whatever cannot be read in it is told with its place."""

    fields: Mapping[str, Any]
    where: str  # "text_prompts.jsonl, line 3"

    def text(self, *names: str) -> str:
        """The text of the first of these fields that the record has."""
        for name in names:
            if isinstance(found := self.fields.get(name), str) and found.strip():
                return found
        raise ValueError(f"{self.where} has no text {' or '.join(names)}; it has {self.told()}")

    def texts(self, name: str) -> tuple[str, ...]:
        """A list of texts."""
        found = self.fields.get(name)
        if not isinstance(found, list) or not all(isinstance(each, str) for each in found):
            raise ValueError(f"{self.where} has no list of texts {name}; it has {self.told()}")
        return tuple(found)

    def integer(self, name: str) -> int:
        """A whole number, also one written as text."""
        try:
            return int(str(self.fields[name]))
        except (KeyError, ValueError) as error:
            raise ValueError(f"{self.where} has no whole number {name}; it has {self.told()}") from error

    def plain_name(self, name: str) -> str:
        """A number or a text that may name a file."""
        found = str(self.fields.get(name, ""))
        if not PLAIN_NAME.fullmatch(found):
            raise ValueError(f"{self.where}: {name} {found!r} cannot name a picture's file")
        return found

    def told(self) -> str:
        """The names of its fields."""
        return ", ".join(map(str, self.fields)) or "no fields"


def find(folder: Path, *names: str) -> Path:
    """The first of these files that the folder has."""
    found = next((folder / name for name in names if (folder / name).exists()), None)
    if found is None:
        raise ValueError(f"{folder} has no {names[0]}: choose the folder with the authors' prompt files")
    if why := irregularity(found):
        raise ValueError(f"{found} cannot be read: it {why}")
    return found


def read_json(file: Path) -> Any:
    """What a JSON file holds."""
    try:
        return json.loads(read_text(file))
    except ValueError as error:
        raise ValueError(f"{file} is not JSON: {error}") from error


def read_records(file: Path, name: str | None = None) -> list[Record]:
    """The records of a JSON file's list, which stands under `name` if there is one."""
    found = read_json(file)
    if name is not None:
        found = found.get(name) if isinstance(found, dict) else None
    if not isinstance(found, list):
        raise ValueError(f"{file} has no list {name or 'of records'}")
    return [_record(each, f"{file}, record {index}") for index, each in enumerate(found)]


def read_lines(file: Path) -> list[Record]:
    """The records of a file with one JSON object a line; empty lines are none."""
    records: list[Record] = []
    for number, line in enumerate(read_text(file).split("\n"), 1):
        if line.strip():
            try:
                records.append(_record(json.loads(line), f"{file}, line {number}"))
            except json.JSONDecodeError as error:
                raise ValueError(f"{file}, line {number} is not JSON: {error}") from error
    return records


def read_csv(file: Path) -> list[Record]:
    """The rows of a CSV file under the names of its first."""
    csv.field_size_limit(1 << 20)
    try:
        rows = list(csv.DictReader(io.StringIO(read_text(file), newline="")))
    except csv.Error as error:
        raise ValueError(f"{file} is not CSV: {error}") from error
    return [_record(row, f"{file}, row {number}") for number, row in enumerate(rows, 1)]


def read_text(file: Path) -> str:
    """A file's text, without a byte order mark."""
    try:
        return file.read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{file} is not UTF-8 text: {error.reason} at byte {error.start}") from error


def _record(found: Any, where: str) -> Record:
    if not isinstance(found, dict):
        raise ValueError(f"{where} is no record but {type(found).__name__}")
    return Record(found, where)
