"""`zimage data graph`: its options."""

import argparse
from typing import Any

from .arguments import integer, number, path, text
from .data_outputs import add_out, add_page

GRAPH = """Makes a map of concepts: what there is in the world, what is a kind of what, and how much of it captions
speak of. Concepts are from WordNet, from a wiki's dumps, from emojis (English and Chinese) and from phrases that the
captions use; they are ranked by PageRank, and what cannot be seen or is a word for nearly everything is left out.
Writes one row a concept, and a page to walk through them."""


def add_graph(stages: Any) -> None:
    """`data graph`."""
    parser = stages.add_parser(
        "graph", allow_abbrev=False, help="what captions speak of, and what not", description=GRAPH
    )
    parser.set_defaults(run=run_graph)
    add_sources(parser)
    add_out(parser)
    add_page(parser)
    parser.add_argument("--graphml", type=path, metavar="FILE.graphml", help="also write the map for Gephi, yEd, ...")
    parser.add_argument("--mentions", type=path, metavar="FILE.parquet", help="also write each caption's concepts")
    parser.add_argument(
        "--most", type=integer(1, 10_000_000), default=100_000, metavar="N", help="concepts kept; default: 100000"
    )
    parser.add_argument(
        "--most-generality",
        type=number(0.0, 1.0),
        default=0.825,
        metavar="G",
        help="of WordNet's concepts, 1 for what all others are kinds of; default: 0.825, which keeps artifact",
    )
    parser.add_argument(
        "--kinds",
        type=text,
        metavar="KIND,…",
        help="WordNet's kinds that can be seen; all for all; default: in docs/concepts.md",
    )
    parser.add_argument(
        "--least-uses",
        type=integer(1, 1_000_000),
        default=5,
        metavar="N",
        help="captions with a phrase before it is a concept; default: 5",
    )


def add_sources(parser: argparse.ArgumentParser) -> None:
    """Where concepts are from."""
    sources = parser.add_argument_group("sources, one at least")
    sources.add_argument("--wordnet", type=path, metavar="FOLDER", help="WordNet's files, such as /usr/share/wordnet")
    sources.add_argument("--emojibase", type=path, metavar="FOLDER", help="the npm package emojibase-data, unpacked")
    sources.add_argument(
        "--wikipedia",
        type=path,
        action="append",
        default=[],
        metavar="PLACE",
        help="a folder of a wiki's SQL dumps, or a CirrusSearch dump; may be given again",
    )
    sources.add_argument(
        "--captions",
        type=path,
        action="append",
        default=[],
        metavar="PLACE",
        help="a folder, a .jsonl file or a .txt file with one a line; may be given again",
    )


def run_graph(options: argparse.Namespace) -> None:
    """Import what is needed, and run."""
    from .data_concepts import map_of_concepts

    map_of_concepts(options)
