"""A map of concepts as one HTML page to walk through: from the top down, by search, rare ones first."""

import json
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from ...atomic_file import write_text
from ...counted import counted
from ...html_page import page
from ..engine import record_of_stage
from ..engine.output import row_groups
from .concept_walk import BODY, SCRIPT, STYLE

SHOWN = ("concept", "name_en", "name_zh", "parents", "captions", "coverage", "rarity")


def write_concept_page(concepts: Path, out: Path) -> None:
    """Write the page of a map."""
    record = record_of_stage(concepts, "graph", SHOWN)
    rows = [row for table in row_groups(concepts, SHOWN) for row in table.to_pylist()]
    write_text(out, concept_page(rows, record.summary))


def concept_page(rows: Sequence[Mapping[str, Any]], summary: Mapping[str, Any]) -> str:
    """HTML of rows with the columns `SHOWN`, and of what was counted of all."""
    content = json.dumps(list(walkable(rows)), ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
    body = "\n".join(
        (
            f"<style>{STYLE}</style><h1>Concepts</h1><p>{escape(headline(summary))}</p>{BODY}",
            f"<script>const MAP = {content}\n{SCRIPT}</script>",
        )
    )
    return page("Concepts", body)


def walkable(rows: Sequence[Mapping[str, Any]]) -> Iterator[list[Any]]:
    """A concept's row as the script reads it; parents by number."""
    numbers = {row["concept"]: number for number, row in enumerate(rows)}
    for row in rows:
        rare = None if row["rarity"] is None else round(row["rarity"], 3)
        parents = [numbers[parent] for parent in row["parents"] if parent in numbers]
        yield [row["name_en"], row["name_zh"], row["concept"], parents, row["captions"], row["coverage"], rare]


def headline(found: Mapping[str, Any]) -> str:
    """How many concepts of how many, and what captions say of them."""
    covered = f"{found['covered']} of them are covered by {counted(found['captions'], 'caption')}."
    return (
        f"{counted(found['concepts'], 'concept')} of {found['read']} that were read, {found['chinese']} with a Chinese "
        f"name. {covered if found['captions'] else 'No captions were given.'}"
    )
