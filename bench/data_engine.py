"""`python -m bench.data_engine`: copies planted in nano's renders, found and missed; items per second and peak bytes.

Pictures: profile, embed, dedup of a folder with copies. Vectors: pairs among 256-wide ones with planted neighbours,
cell by cell, at 1e3 to 1e5, and the exponent of the time, 1 for a search whose time grows as the number.
"""

import argparse
import math
import resource
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from tqdm import tqdm

from zimage_core.cli import main as command
from zimage_core.curation.duplicates.cells import as_units, centres_of, members, nearest_cells
from zimage_core.curation.duplicates.neighbours import neighbours
from zimage_core.curation.engine.libraries import parquet

from .planted_copies import plant

WIDTH, NOISE, LEAST, K = 256, 0.02, 0.9, 20


def pictures(originals: int) -> Iterator[str]:
    """A folder through all stages; a third as many copies as originals."""
    with tempfile.TemporaryDirectory() as root:
        folder = Path(root) / "pictures"
        folder.mkdir()
        truth = plant(folder, originals, originals // 3)
        stages = [("profile", folder, "X"), ("embed", Path(root) / "X.parquet", "Y")]
        stages.append(("dedup", Path(root) / "Y.parquet", "Z"))
        yield "| stage | pictures | pictures per second | peak memory so far, MiB |\n| --- | --- | --- | --- |"
        for stage, source, out in stages:
            started = time.perf_counter()
            if command(["data", stage, str(source), "--out", str(Path(root) / f"{out}.parquet")]):
                raise SystemExit(1)
            rate = (originals + len(truth)) / (time.perf_counter() - started)
            yield f"| {stage} | {originals + len(truth)} | {rate:.3g} | {peak()} |"
        yield judged(Path(root) / "Z.parquet", truth, originals)


def judged(file: Path, truth: dict[str, str], originals: int) -> str:
    """How many copies were found, and how many originals went without being one."""
    rows = {Path(row["path"]).name: row for row in parquet().read_table(file).to_pylist()}
    found = sum(rows[copy]["cluster"] == rows[original]["cluster"] for copy, original in truth.items())
    number = {name: name[:5] for name in rows}
    false = sum(number[name] != number[Path(row["keeper"]).name] for name, row in rows.items())
    return f"found {found} of {len(truth)} planted copies; {false} of {originals} originals taken for another's copy"


def vectors(counts: list[int]) -> Iterator[str]:
    """Search among random directions, each with one neighbour."""
    yield "| vectors | cells | found | seconds | per second | peak memory so far, MiB |"
    yield "| --- | --- | --- | --- | --- | --- |"
    seconds: list[float] = []
    for count in counts:
        some = with_neighbours(count)
        started = time.perf_counter()
        centres = centres_of(some, 0)
        cells = members(nearest_cells(some, centres), len(centres))
        found = set[tuple[int, int]]()
        for cell in tqdm(cells, unit="cell", leave=False):
            pairs = neighbours(some[cell], K, LEAST)
            found |= set(zip(cell[pairs.one].tolist(), cell[pairs.other].tolist(), strict=True))
        seconds.append(time.perf_counter() - started)
        share = sum((i, i + 1) in found for i in range(0, count, 2)) / (count // 2)
        yield f"| {count} | {len(cells)} | {share:.4f} | {seconds[-1]:.3g} | {count / seconds[-1]:.3g} | {peak()} |"
    if len(counts) > 1:
        exponent = math.log(seconds[-1] / seconds[0]) / math.log(counts[-1] / counts[0])
        yield f"time grows as the number to the power of {exponent:.2f}"


def with_neighbours(count: int) -> np.ndarray:
    """Unit vectors, each odd one near the one before it: cosine about 0.95."""
    rng = np.random.default_rng(0)
    firsts = rng.standard_normal((count // 2, WIDTH), np.float32) / math.sqrt(WIDTH)
    seconds = firsts + NOISE * rng.standard_normal(firsts.shape, np.float32)
    return as_units(np.stack([firsts, seconds], 1).reshape(-1, WIDTH))


def peak() -> int:
    """Resident bytes of this process at most, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.data_engine", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--originals", type=int, default=1000, help="pictures without a copy planted before them")
    parser.add_argument("--vectors", type=int, nargs="*", default=[1000, 10_000, 100_000])
    arguments = parser.parse_args()
    for line in (*pictures(arguments.originals),) if arguments.originals else ():
        tqdm.write(line)
    for line in vectors(arguments.vectors):
        tqdm.write(line)


if __name__ == "__main__":
    main()
