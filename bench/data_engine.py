"""`python -m bench.data_engine`: items per second and peak bytes of each stage of the data engine, and how they grow.

Pictures: profile, embed, dedup of nano's renders with planted copies, found and missed. Vectors: copies among 256-wide
ones with planted neighbours, out of core, at 1e3 to 1e6. Of each stage the exponent of its time is fitted: 1 for one
whose time grows as the number.
"""

import argparse
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from tqdm import tqdm

from zimage_core.cli import main as command
from zimage_core.curation.engine.libraries import parquet

from .planted_copies import plant
from .stage_clock import HEADER, Taken, clocked, exponents
from .vector_curves import vector_stages


def picture_stages(root: Path, originals: int) -> Iterator[Taken | str]:
    """A folder through all stages; a third as many copies as originals."""
    folder = root / "pictures"
    folder.mkdir()
    truth = plant(folder, originals, originals // 3)
    stages = [("profile", folder, "X"), ("embed", root / "X.parquet", "Y"), ("dedup", root / "Y.parquet", "Z")]
    for stage, source, out in stages:
        with clocked(stage, originals + len(truth)) as taken:
            if command(["data", stage, str(source), "--out", str(root / f"{out}.parquet")]):
                raise SystemExit(1)
        yield taken
    yield judged(root / "Z.parquet", truth, originals)


def judged(file: Path, truth: dict[str, str], originals: int) -> str:
    """How many copies were found, and how many originals went without being one."""
    rows = {Path(row["path"]).name: row for row in parquet().read_table(file).to_pylist()}
    found = sum(rows[copy]["cluster"] == rows[original]["cluster"] for copy, original in truth.items())
    number = {name: name[:5] for name in rows}
    false = sum(number[name] != number[Path(row["keeper"]).name] for name, row in rows.items())
    return f"found {found} of {len(truth)} planted copies; {false} of {originals} originals taken for another's copy"


def told(counts: Sequence[int], *, of_vectors: bool) -> Iterator[str]:
    """A table, what was found at each count, and the exponents."""
    stages, rows, findings = vector_stages if of_vectors else picture_stages, list[Taken](), list[str]()
    yield HEADER
    for number, count in enumerate([min(counts), *counts]):
        with tempfile.TemporaryDirectory() as root:
            for each in stages(Path(root), count):
                if not number:
                    continue  # libraries are loaded
                if isinstance(each, str):
                    findings.append(each)
                else:
                    rows.append(each)
                    yield each.row
    yield from (*findings, *exponents(rows))


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.data_engine", description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--originals", type=int, nargs="*", default=[100, 300, 1000, 3000], help="pictures, with a third as many copies"
    )
    parser.add_argument("--vectors", type=int, nargs="*", default=[1000, 10_000, 100_000, 1_000_000])
    arguments = parser.parse_args()
    for of_vectors, counts in ((False, arguments.originals), (True, arguments.vectors)):
        for line in told(counts, of_vectors=of_vectors) if counts else ():
            tqdm.write(line)


if __name__ == "__main__":
    main()
