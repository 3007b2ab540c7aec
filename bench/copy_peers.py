"""`python -m bench.copy_peers --python PYTHON`: planted copies by ours and by other libraries, one run on one set.

PYTHON is one of a virtual environment with cleanvision, imagededup, semhash and faiss-cpu, which ours does not need. A
copy counts as found where it is paired with its original, an original as falsely taken where it is paired with a
picture of another scene.
"""

import argparse
import json
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from zimage_core.cli import main as command
from zimage_core.curation.duplicates.cells import as_units
from zimage_core.curation.engine.libraries import parquet

from .planted_copies import KINDS, plant

SYSTEMS = ("cleanvision", "imagededup", "semhash", "faiss")
SCRIPT = Path(__file__).parent / "systems" / "copies.py"


def ours(folder: Path, root: Path) -> tuple[float, list[tuple[str, str]]]:
    """Profile, embed, dedup: seconds of the processor, and each picture with its keeper."""
    started = time.process_time()
    for stage, source, out in (
        ("profile", folder, "X"),
        ("embed", root / "X.parquet", "Y"),
        ("dedup", root / "Y.parquet", "Z"),
    ):
        if command(["data", stage, str(source), "--out", str(root / f"{out}.parquet")]):
            raise SystemExit(1)
    seconds = time.process_time() - started
    rows: list[dict[str, Any]] = parquet().read_table(root / "Z.parquet", columns=["path", "keeper"]).to_pylist()
    pairs = [(Path(row["path"]).name, Path(row["keeper"]).name) for row in rows if row["path"] != row["keeper"]]
    return seconds, pairs


def save_vectors(embedded: Path, file: Path) -> None:
    """Names and vectors of an embedding."""
    table = parquet().read_table(embedded, columns=["path", "vector"])
    vectors = as_units(np.array(table["vector"].to_pylist(), np.float32))
    np.savez(file, names=[Path(path).name for path in table["path"].to_pylist()], vectors=vectors)


def judged(name: str, seconds: float, pairs: Sequence[tuple[str, str]], truth: dict[str, str], originals: int) -> str:
    """A line of the table."""
    together = {frozenset(pair) for pair in pairs}
    found = {copy for copy, original in truth.items() if frozenset((copy, original)) in together}
    by_kind = ", ".join(f"{sum(kind in each for each in found)} {kind}" for kind in KINDS)
    false = {name for pair in pairs if pair[0][:5] != pair[1][:5] for name in pair if name not in truth}
    return (
        f"| {name} | {len(found)} of {len(truth)} ({by_kind}) | {len(truth) - len(found)} | "
        f"{len(false)} of {originals} | {seconds:.3g} |"
    )


def compared(python: str, originals: int, copies: int) -> Iterator[str]:
    """The table, ours first."""
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary)
        folder = root / "pictures"
        folder.mkdir()
        truth = plant(folder, originals, copies)
        for text in folder.glob("*.txt"):
            text.unlink()  # some look at every file
        yield "| | copies found | missed | originals falsely taken | seconds of the processor |"
        yield "| --- | --- | --- | --- | --- |"
        yield judged("ours", *ours(folder, root), truth, originals)
        save_vectors(root / "Y.parquet", root / "vectors.npz")
        for name in SYSTEMS:
            asked = [python, str(SCRIPT), name, str(folder), str(root / "vectors.npz")]
            answer = subprocess.run(asked, stdout=subprocess.PIPE, check=False, text=True)
            if answer.returncode:
                yield f"| {name} | did not run | | | |"
                continue
            told = json.loads(answer.stdout)
            yield judged(f"{name} {told['version']}", told["seconds"], told["pairs"], truth, originals)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.copy_peers", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--python", required=True, help="a Python that has the others")
    parser.add_argument("--originals", type=int, default=600)
    parser.add_argument("--copies", type=int, default=200)
    arguments = parser.parse_args()
    for line in compared(arguments.python, arguments.originals, arguments.copies):
        tqdm.write(line)


if __name__ == "__main__":
    main()
