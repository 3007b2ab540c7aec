"""Tables of a MediaWiki SQL dump, row by row: `CREATE TABLE` names the columns, `INSERT INTO` holds the rows.

Which columns a table has changed over the years, so they are found by name. An INSERT may be one long line or a line a
row.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from .text_lines import raw_lines

COLUMN = re.compile(rb"  `(\w+)` ")
TEXT, PLAIN = rb"'[^'\\]*(?:(?:\\.|'')[^'\\]*)*'", rb"[^,()']*"
ESCAPED = re.compile(rb"\\(.)|''", re.DOTALL)
ESCAPES = {b"0": b"\0", b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"Z": b"\x1a"}

Value = bytes  # as it stands in the dump, quotes included


def columns_in(file: Path) -> list[str]:
    """Names of a dump's columns, in their order."""
    found, is_inside = list[str](), False
    for _, line in raw_lines(file):
        if line.startswith(b"CREATE TABLE "):
            is_inside = True
        elif is_inside and (match := COLUMN.match(line)):
            found.append(match[1].decode())
        elif found:
            return found
    raise ValueError(f"{file} holds no CREATE TABLE: give a table of a MediaWiki SQL dump")


def rows_of_dump(file: Path, wanted: Sequence[str]) -> Iterator[tuple[Value, ...]]:
    """The wanted columns of every row, in that order; raises `ValueError` with a sentence for a table without them."""
    columns = columns_in(file)
    if missing := [name for name in wanted if name not in columns]:
        raise ValueError(f"{file} has no column {', '.join(missing)}, but {', '.join(columns)}: give another dump")
    value = b"(?:" + TEXT + b"|" + PLAIN + b")"
    parts = [b"(" + value + b")" if name in wanted else value for name in columns]
    row = re.compile(rb"\(" + b",".join(parts) + rb"\)", re.DOTALL)
    captured = [name for name in columns if name in wanted]
    order = [captured.index(name) for name in wanted]
    for number, line in raw_lines(file):
        if not line.startswith((b"INSERT INTO ", b"(")):
            continue
        values = line.partition(b" VALUES")[2] if line.startswith(b"INSERT") else line
        found = False
        for match in row.finditer(values):
            found, groups = True, match.groups()
            yield tuple(groups[place] for place in order)
        if not found and values.strip():
            raise ValueError(f"{file}, line {number} does not have the {len(columns)} columns of its table")


def unquoted(value: Value) -> bytes:
    """A text without its quotes and escapes."""
    inside = value[1:-1]
    if b"\\" not in inside and b"''" not in inside:
        return inside
    return ESCAPED.sub(lambda match: ESCAPES.get(match[1], match[1]) if match[1] else b"'", inside)
