"""What `zimage data balance` does with its parsed options."""

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

from ..counted import counted
from ..curation.balance import BalanceParameters, balance, write_manifest
from ..curation.engine import Record, record_of_stage
from ..curation.engine.output import row_groups
from .data_stages import check_table, renewed
from .files import check_out


def balance_pictures(options: argparse.Namespace) -> None:
    """Write the weights and the manifest."""
    check_table(options.out, "balance")
    manifest: Path = options.manifest or options.out.with_suffix(".jsonl")
    check_out(manifest, "manifests", ".jsonl")
    parameters = BalanceParameters(
        alpha=options.alpha,
        rarity=options.rarity,
        sample=options.sample,
        neighbours=options.neighbours,
        resolution=options.resolution,
        seed=options.seed,
    )
    left_out = {**dict(copies_in(options.copies)), **dict(listed_in(options.without))}
    is_new, record = renewed(balance(options.vectors, options.out, parameters, left_out), options.out)
    count = write_manifest(options.out, manifest, options.caption)
    result = {"file": str(options.out), "manifest": str(manifest), "lines": count, "new": is_new, **record.summary}
    print(
        json.dumps(result, ensure_ascii=False) if options.json else balance_told(record, options.out, manifest, count)
    )


def copies_in(file: Path | None) -> Iterator[tuple[str, str]]:
    """Pictures that `data dedup` keeps another for, and why."""
    if file:
        record_of_stage(file, "dedup", ("path", "kind", "reason"))
        for table in row_groups(file, ["path", "kind", "reason"]):
            yield from ((row["path"], row["reason"]) for row in table.to_pylist() if row["kind"] != "kept")


def listed_in(file: Path | None) -> Iterator[tuple[str, str]]:
    """Pictures in a text file, a path a line; one that is not absolute begins at the file's folder."""
    if file:
        if not file.is_file():
            raise ValueError(f"there is no list {file}: give a text file with a picture's path a line")
        lines = (line.strip() for line in file.read_text("utf-8-sig").splitlines())
        yield from ((str(file.parent.absolute() / line), f"listed in {file.name}") for line in lines if line)


def balance_told(record: Record, out: Path, manifest: Path, count: int) -> str:
    """The result for a person."""
    found = record.summary
    lacking = found["pictures"] - count
    return (
        f"{out}: {counted(found['pictures'], 'picture')} in {counted(found['clusters'], 'cluster')} of "
        f"{found['smallest']} to {found['largest']}, weights {found['least_weight']:.3g} to "
        f"{found['most_weight']:.3g}; {found['left_out']} left out\n"
        f"{manifest}: {counted(count, 'line')} to train on (--data {manifest})"
        + (f"; {counted(lacking, 'picture')} without a caption are not in it" if lacking else "")
    )
