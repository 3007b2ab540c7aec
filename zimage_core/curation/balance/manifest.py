"""Weights as a manifest that training reads (`zimage_core.data.manifest`): a JSON object a line."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ...atomic_file import write_atomically
from ...json_lines import to_lines
from ..engine.output import row_groups


def write_manifest(balanced: Path, out: Path, caption: str = "") -> int:
    """Write the pictures that weigh more than 0 and have captions, or `caption`; how many they are."""
    written = 0

    def lines() -> Iterator[bytes]:
        nonlocal written
        for table in row_groups(balanced, ["path", "captions", "weight"]):
            rows = [row for row in map(line_of, table.to_pylist()) if row["weight"] > 0]
            told = [row | {"captions": row["captions"] or [caption]} for row in rows if row["captions"] or caption]
            written += len(told)
            yield to_lines(told).encode()

    write_atomically(out, lambda opened: opened.writelines(lines()))
    return written


def line_of(row: dict[str, Any]) -> dict[str, Any]:
    """One picture."""
    return {"file_name": row["path"], "captions": row["captions"], "weight": float(f"{row['weight']:.4g}")}
