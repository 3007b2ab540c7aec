"""From sources and captions to a map of concepts: rank, what can be seen, what is a kind of what, what captions cover.

Sources are read as a whole, WordNet in seconds. Captions are gone through twice, in partitions that resume: for the
phrases they use, and, once words are known, for the concepts they speak of.
"""

import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..engine import Progress, Stage, is_done, parquet, run_stage
from ..engine.output import glob_literal
from .caption_listing import list_captions
from .caption_stages import MentionFinder, PhraseCounter, counted_captions, often_used, rarity
from .concept_rows import ConceptRows, Found, table_of
from .graph import ConceptGraph, joined
from .hierarchy import ancestors, as_matrix, depths, generality
from .matching import lexicon_of
from .phrase_concepts import with_phrases
from .pruning import UNKNOWN, VISUAL_KINDS, most_ranked, pruned, visual
from .ranked import page_rank
from .sources import Sources, digest_of, graphs_of

VERSION = 1


@dataclass(frozen=True, kw_only=True)
class MapParameters:
    """What a person chooses."""

    most: int = 100_000  # concepts, those of the highest rank
    most_generality: float = 0.825  # of a concept: WordNet's person and artifact stay, organism and entity go
    kinds: tuple[str, ...] = VISUAL_KINDS  # of WordNet's, that can be seen
    least_uses: int = 5  # captions that use a phrase before it is a concept


@dataclass(frozen=True)
class Pruned:
    """A graph with what was found of it before."""

    graph: ConceptGraph
    rank: NDArray[np.float64]
    generality: NDArray[np.float64]
    all: int  # concepts that were read


def map_concepts(
    sources: Sources, out: Path, parameters: MapParameters, told: Path | None = None
) -> Iterator[Progress]:
    """Write the map, and to `told`, if given, of which concepts each caption speaks; what is there already stays."""
    listing = out.with_name(f".{out.name}.captions")
    try:
        captions = list_captions(sources.captions, listing) if sources.captions else ""
        yield from map_listed(sources, captions, listing, out, parameters, told)
    finally:
        listing.unlink(missing_ok=True)


def map_listed(
    sources: Sources, captions: str, listing: Path, out: Path, parameters: MapParameters, told: Path | None
) -> Iterator[Progress]:
    """The stages, with the captions in a listing."""
    partitions = groups_in(listing) if captions else 0
    common: dict[str, Any] = {
        "version": VERSION,
        "inputs": digest_of(sources, captions),
        "parameters": asdict(parameters),
    }
    planned = Stage(name="graph", partitions=1, work=unplanned, **common)
    hidden = out.with_name(f".{out.name}.{planned.key[:12]}.graph")
    found = told or hidden / "mentions.parquet"
    speaking = Stage(name="mentions", partitions=partitions, work=unplanned, **common)
    if is_done(planned, out) and (told is None or not partitions or is_done(speaking, told)):
        return
    graph = joined([])
    for number, each in enumerate(graphs_of(sources), 1):
        graph = each
        yield Progress(stage="sources", done=number, total=sources.count)
    if partitions:
        hidden.mkdir(exist_ok=True)
        counting = Stage(name="phrases", partitions=partitions, work=PhraseCounter(listing), **common)
        yield from run_stage(counting, hidden / "phrases.parquet")
        graph = with_phrases(graph, often_used(hidden / "phrases.parquet", parameters.least_uses))
    kept = prune(graph, parameters)
    above = ancestors(as_matrix(kept.graph.parents, len(kept.graph.concepts)))
    if partitions:
        ids = tuple(each.id for each in kept.graph.concepts)
        work = MentionFinder(listing, lexicon_of(kept.graph, above), ids)
        yield from run_stage(replace(speaking, work=work), found)
    known, total = counted(kept, above, found if partitions else None)
    rows, summary = ConceptRows(table_of(known)), summary_of(kept, known, total)
    yield from run_stage(replace(planned, partitions=rows.partitions, work=rows, summary=summary), out)
    for left in out.parent.glob(f".{glob_literal(out.name)}.{'[0-9a-f]' * 12}.graph"):  # of other parameters, too
        shutil.rmtree(left, ignore_errors=True)


def unplanned(partition: int) -> Any:
    """The work of a stage of which only the key is asked for."""
    raise ValueError(f"partition {partition} has no work yet")


def groups_in(listing: Path) -> int:
    """Row groups of a listing; a sentence where it holds no captions."""
    with parquet().ParquetFile(listing) as opened:
        count: int = opened.num_row_groups
    if not count:
        raise ValueError("there are no captions in what --captions names: give a folder or a file that holds some")
    return count


def prune(graph: ConceptGraph, parameters: MapParameters) -> Pruned:
    """The highest ranks, then of them what can be seen and is not too general."""
    count = len(graph.concepts)
    rank = page_rank(graph.links, count)
    is_ranked = most_ranked(rank, parameters.most)
    graph = pruned(graph, is_ranked, as_matrix(graph.parents, count))
    matrix = as_matrix(graph.parents, len(graph.concepts))
    above = ancestors(matrix)
    general = generality(above)
    is_unjudged = np.array([each.kind in UNKNOWN for each in graph.concepts], bool)
    is_kept = visual(graph, above, parameters.kinds) & ((general <= parameters.most_generality) | is_unjudged)
    return Pruned(pruned(graph, is_kept, matrix), rank[is_ranked][is_kept], general[is_kept], count)


def counted(kept: Pruned, above: Any, mentions: Path | None) -> tuple[Found, int]:
    """What is known of each concept, and how many captions were looked at."""
    count = len(kept.graph.concepts)
    total, own, covered = 0, np.zeros(count, np.int64), np.zeros(count, np.int64)
    if mentions is not None:
        total, own, covered = counted_captions(mentions, above)
    rare = None if mentions is None else rarity(covered, total)
    return Found(
        kept.graph, depths(as_matrix(kept.graph.parents, count)), kept.generality, kept.rank, own, covered, rare
    ), total


def summary_of(kept: Pruned, known: Found, captions: int) -> dict[str, Any]:
    """Counts, for the output's metadata."""
    concepts = kept.graph.concepts
    return {
        "read": kept.all,
        "concepts": len(concepts),
        "tops": int((known.depth == 0).sum()),
        "english": sum(bool(each.english) for each in concepts),
        "chinese": sum(bool(each.chinese) for each in concepts),
        "captions": captions,
        "covered": int((known.coverage > 0).sum()),
    }
