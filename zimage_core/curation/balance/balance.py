"""The stage that weighs pictures: a row a picture of an embedding, with its cluster, its rarity and its weight.

A weight is how often a picture should be seen beside the others, whose mean is 1; 0 leaves it out.
"""

import shutil
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..engine import Progress, Stage, arrow, file_digest, parquet, record_of_stage, run_stage
from ..engine.output import glob_literal, row_groups
from ..profiling.identity import sha256
from .clusters import find_clusters
from .rarity import read_captions
from .weights import cluster_weights, draw, of_mean_one, rarity_factors

VERSION = 2
CHANGED, NOT_DRAWN = "changed or gone since its profile", "not drawn"
READ = ("path", "vector", "look", "quality", "pixels")  # columns of the embedding


@dataclass(frozen=True, kw_only=True)
class BalanceParameters:
    """What a person chooses."""

    alpha: float = 0.5  # 0: clusters are seen equally often; 1: as they are
    rarity: float = 0.0  # how much a rare caption counts: its rarity beside the mean, to this power
    sample: int | None = None  # so many are drawn by their weights and then weigh 1; None keeps all
    neighbours: int = 10  # of each picture, to which it is linked
    resolution: float = 1.0  # larger ones give more clusters
    seed: int = 0


@dataclass(frozen=True)
class Weighed:
    """Makes the rows of one of the embedding's row groups; the arrays are of all its pictures."""

    captions: Path
    columns: Mapping[str, Any]

    def __call__(self, partition: int) -> Any:
        """The captions' table, which is in the embedding's order, with the columns."""
        with parquet().ParquetFile(self.captions) as opened:
            counts = [opened.metadata.row_group(group).num_rows for group in range(partition + 1)]
            table = opened.read_row_group(partition)
        here = slice(sum(counts[:partition]), sum(counts))
        for name, values in self.columns.items():
            table = table.append_column(name, arrow().array(values[here]))
        return table.replace_schema_metadata(None)


def balance(
    embedded: Path, out: Path, parameters: BalanceParameters, left_out: Mapping[str, str]
) -> Iterator[Progress]:
    """Write the weights; pictures of `left_out`, paths with a reason, weigh 0 and are in no cluster's size."""
    record = record_of_stage(embedded, "embed", READ)
    with parquet().ParquetFile(embedded) as opened:
        shape = int(opened.metadata.num_rows), int(record.summary["length"])
    inputs = file_digest(embedded)
    hidden = out.with_name(f".{out.name}.{inputs[:12]}.weights")
    hidden.mkdir(exist_ok=True)
    rarity = yield from read_captions(embedded, hidden / "captions.parquet")
    chosen = asdict(parameters) | {"left out": sha256(repr(sorted(left_out.items())).encode())}
    links = hidden / f"{parameters.neighbours} {parameters.seed}"
    links.mkdir(exist_ok=True)
    clusters = yield from find_clusters(
        embedded, links, shape, parameters.neighbours, parameters.resolution, parameters.seed
    )
    columns, summary = weighed(embedded, clusters, rarity, parameters, left_out)
    with parquet().ParquetFile(hidden / "captions.parquet") as opened:
        partitions = int(opened.num_row_groups)
    stage = Stage(
        name="balance",
        version=VERSION,
        inputs=file_digest(hidden / "captions.parquet"),
        parameters=chosen | {"vectors": inputs},
        partitions=partitions,
        work=Weighed(hidden / "captions.parquet", columns),
        summary=summary,
    )
    yield from run_stage(stage, out)
    for left in out.parent.glob(f".{glob_literal(out.name)}.{'[0-9a-f]' * 12}.weights"):
        shutil.rmtree(left, ignore_errors=True)


def weighed(
    embedded: Path,
    clusters: NDArray[np.int64],
    rarity: NDArray[np.float64],
    parameters: BalanceParameters,
    left_out: Mapping[str, str],
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The columns beside path and captions, and what is told of them."""
    reasons = [why for table in row_groups(embedded, ["path", "vector"]) for why in reasons_in(table, left_out)]
    kept = np.array([not why for why in reasons], dtype=bool)
    weights = np.zeros(len(kept))
    weights[kept] = cluster_weights(clusters[kept], parameters.alpha)
    weights = of_mean_one(weights * rarity_factors(rarity, parameters.rarity), kept)
    if parameters.sample is not None:
        drawn = draw(weights, parameters.sample, parameters.seed)
        weights = np.isin(np.arange(len(kept)), drawn).astype(np.float64)
        reasons = [why or ("" if weight else NOT_DRAWN) for why, weight in zip(reasons, weights.tolist(), strict=True)]
    sizes = np.bincount(clusters[kept], minlength=len(kept))
    columns = {
        "cluster": clusters,
        "cluster_size": sizes[clusters],
        "rarity": rarity,
        "weight": weights,
        "reason": reasons,
    }
    found, is_seen = sizes[sizes > 0], weights > 0
    summary = {
        "pictures": int(is_seen.sum()),
        "left_out": int((~is_seen).sum()),
        "clusters": len(found),
        "largest": int(found.max(initial=0)),
        "smallest": int(found.min()) if len(found) else 0,
        "most_weight": float(weights.max(initial=0)),
        "least_weight": float(weights[is_seen].min()) if is_seen.any() else 0.0,
        "without_caption": int((np.isnan(rarity) & is_seen).sum()),
    }
    return columns, summary


def reasons_in(table: Any, left_out: Mapping[str, str]) -> list[str]:
    """Why each picture of a table is left out; nothing for one that is not."""
    has_vector: list[bool] = table["vector"].is_valid().to_pylist()
    return [
        left_out.get(path, "") if is_there else CHANGED
        for path, is_there in zip(table["path"].to_pylist(), has_vector, strict=True)
    ]
