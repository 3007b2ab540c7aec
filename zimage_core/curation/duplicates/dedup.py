"""From vectors to a list of which pictures are copies of which: cells, pairs, groups, keepers, each drop explained.

Pictures with the same pixels are joined first. Of the others, pairs are searched cell by cell, out of core and
resumable; what memory grows with is some 100 bytes a picture and 24 a pair.
"""

import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from ..engine import Progress, Stage, file_digest, is_done, parquet, record_of_stage, run_stage
from ..engine.output import glob_literal
from .communities import communities
from .grouped import group, read_pairs
from .pair_search import CopyTest, search_of
from .scratch import fill
from .told import Listed, summary_of

VERSION = 2
READ = ("path", "vector", "look", "quality", "pixels")  # columns of the embedding


@dataclass(frozen=True, kw_only=True)
class DedupParameters:
    """What a person chooses."""

    least_cosine: float = 0.9  # of vectors, for a pair to be looked at
    most_difference: float | None = 16.0  # percent, of aligned looks; None believes the vectors alone
    neighbours: int = 20  # at most, of each picture
    seed: int = 0  # of the cells and the sample
    sample: int = 200  # pictures that are compared with all, to tell how many copies were missed


def find_duplicates(embedded: Path, out: Path, parameters: DedupParameters) -> Iterator[Progress]:
    """Write the list; nothing happens where it is there already."""
    record = record_of_stage(embedded, "embed", READ)
    with parquet().ParquetFile(embedded) as opened:
        groups, rows = int(opened.num_row_groups), int(opened.metadata.num_rows)
    inputs, chosen = file_digest(embedded), asdict(parameters)
    planned = Stage(
        name="dedup",
        version=VERSION,
        inputs=inputs,
        parameters=chosen,
        partitions=groups,
        work=Listed(embedded, None),
    )
    if is_done(planned, out):
        return
    hidden = out.with_name(f".{out.name}.{planned.key[:12]}.pairs")
    hidden.mkdir(exist_ok=True)
    scratch = fill(embedded, hidden, rows, int(record.summary["length"]))
    test = CopyTest(least_cosine=parameters.least_cosine, most_difference=parameters.most_difference)
    search = search_of(scratch, parameters.neighbours, test, parameters.seed)
    finding = Stage(
        name="pairs",
        version=VERSION,
        inputs=inputs,
        parameters=chosen,
        partitions=len(search.cells),
        work=search,
    )
    yield from run_stage(finding, hidden / "pairs.parquet")
    pairs = read_pairs(hidden / "pairs.parquet")
    found = group(search, communities(pairs.one, pairs.other, rows))
    summary = summary_of(search, pairs, found, parameters.sample, parameters.seed)
    listing = replace(planned, work=Listed(embedded, found), summary=summary)
    yield from run_stage(listing, out)
    for left in out.parent.glob(f".{glob_literal(out.name)}.{'[0-9a-f]' * 12}.pairs"):  # of other parameters, too
        shutil.rmtree(left, ignore_errors=True)
