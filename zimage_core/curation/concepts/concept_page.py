"""A map of concepts as one HTML page to walk through: from the top down, by search, rare ones first."""

import json
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Any

from ...atomic_file import write_text
from ...counted import counted
from ...html_page import page
from ..engine import Record, record_of_stage
from ..engine.output import row_groups
from .concept_walk import BODY, SCRIPT, STYLE

SHOWN = ("concept", "name_en", "name_zh", "parents", "captions", "coverage", "rarity")


def write_concept_page(concepts: Path, out: Path) -> None:
    """Write the page of a map."""
    record = record_of_stage(concepts, "graph", SHOWN)
    rows = [row for table in row_groups(concepts, SHOWN) for row in table.to_pylist()]
    content = json.dumps(list(walkable(rows)), ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
    body = "\n".join(
        (
            f"<style>{STYLE}</style><h1>Concepts</h1><p>{escape(headline(record))}</p>{BODY}",
            f"<script>const MAP = {content}\n{SCRIPT}</script>",
        )
    )
    write_text(out, page("Concepts", body))


def walkable(rows: list[dict[str, Any]]) -> Iterator[list[Any]]:
    """A concept's row as the script reads it; parents by number."""
    numbers = {row["concept"]: number for number, row in enumerate(rows)}
    for row in rows:
        rare = None if row["rarity"] is None else round(row["rarity"], 3)
        parents = [numbers[parent] for parent in row["parents"] if parent in numbers]
        yield [row["name_en"], row["name_zh"], row["concept"], parents, row["captions"], row["coverage"], rare]


def headline(record: Record) -> str:
    """How many concepts of how many, and what captions say of them."""
    found = record.summary
    covered = f"{found['covered']} of them are covered by {counted(found['captions'], 'caption')}."
    return (
        f"{counted(found['concepts'], 'concept')} of {found['read']} that were read, {found['chinese']} with a Chinese "
        f"name. {covered if found['captions'] else 'No captions were given.'}"
    )
