"""What `zimage data graph` does with its parsed options."""

import argparse
import json
from pathlib import Path
from typing import Any

from ..counted import counted
from ..curation.concepts import (
    KINDS,
    VISUAL_KINDS,
    MapParameters,
    Sources,
    map_concepts,
    write_concept_page,
    write_graphml,
)
from ..curation.engine import Record
from .data_stages import check_table, is_older, with_bar, written
from .files import check_out, check_page

ALL = "all"


def map_of_concepts(options: argparse.Namespace) -> None:
    """Write the map, and what goes with it where that is missing or older."""
    check_table(options.out, "graph")
    page: Path = options.page or options.out.with_suffix(".html")
    check_page(page)
    if options.graphml:
        check_out(options.graphml, "graphs", ".graphml")
    if options.mentions:
        check_mentions(options)
    sources = Sources(
        wordnet=options.wordnet,
        emojibase=options.emojibase,
        wikis=tuple(options.wikipedia),
        captions=tuple(options.captions),
    )
    parameters = MapParameters(
        most=options.most,
        most_generality=options.most_generality,
        kinds=kinds_of(options.kinds),
        least_uses=options.least_uses,
    )
    is_new = with_bar(map_concepts(sources, options.out, parameters, options.mentions))
    record = written(options.out)
    if is_older(page, options.out):
        write_concept_page(options.out, page)
    if options.graphml and is_older(options.graphml, options.out):
        write_graphml(options.out, options.graphml)
    result: dict[str, Any] = {"file": str(options.out), "page": str(page), "new": is_new, **record.summary}
    print(json.dumps(result) if options.json else map_told(record, options.out, page))


def check_mentions(options: argparse.Namespace) -> None:
    """Refuse a file of mentions that could not be written."""
    check_table(options.mentions, "mentions")
    if not options.captions:
        raise ValueError("--mentions lists what captions speak of: give --captions, too")


def kinds_of(names: str | None) -> tuple[str, ...]:
    """Kinds by their names."""
    if names is None:
        return VISUAL_KINDS
    chosen = tuple(KINDS) if names == ALL else tuple(name.strip() for name in names.split(","))
    if unknown := [name for name in chosen if name not in KINDS]:
        raise ValueError(
            f"--kinds names {unknown[0]!r}, which is no kind of WordNet's: choose among {', '.join(KINDS)}"
        )
    return chosen


def map_told(record: Record, out: Path, page: Path) -> str:
    """The result for a person."""
    found = record.summary
    covered = (
        f"; {counted(found['captions'], 'caption')} speak of {found['covered']} of them" if found["captions"] else ""
    )
    return (
        f"{out}: {counted(found['concepts'], 'concept')} of {found['read']} that were read, {found['chinese']} with a "
        f"Chinese name{covered}\n{page}: a page to walk through them"
    )
