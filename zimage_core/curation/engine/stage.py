"""A stage: a pure function from inputs to a parquet file, partition by partition.

Daft hands the partitions out, to threads here and to other machines where its Ray runner is set (`DAFT_RUNNER=ray`;
they need the same paths). A partition is written as soon as it is done, so a killed run goes on with those that are
missing.
"""

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...counted import counted
from .libraries import daft
from .output import Parts, Record, read_record
from .stopping import StoppedError, start, stop, working

TRIES = 3  # of a partition, before it is named and left out
BLOCK = 1 << 20  # bytes read at once for a digest
MOST_NAMED = 3
MOST_TASKS = 1000  # of a cluster


class PartitionsFailedError(ValueError):
    """Some partitions failed every time; the others are kept for the next run."""


def no_summary(files: list[Path]) -> Mapping[str, Any]:
    """Nothing to tell beside the rows."""
    return {}


@dataclass(frozen=True, kw_only=True)
class Stage:
    """What makes an output; `work` and `summarize` depend on nothing but the inputs and the parameters."""

    name: str
    version: int  # raised whenever the same input gives other rows
    inputs: str  # SHA-256 of what is read
    parameters: Mapping[str, Any]
    partitions: int
    work: Callable[[int], Any]  # a partition -> its rows as an Arrow table
    summarize: Callable[[list[Path]], Mapping[str, Any]] = no_summary  # files of all partitions -> findings
    summary: Mapping[str, Any] = field(default_factory=dict[str, Any])  # findings that are known before

    @property
    def key(self) -> str:
        """The same for the same output."""
        told = [self.name, self.version, self.inputs, self.parameters]
        return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True, kw_only=True)
class Progress:
    """Partitions of a stage that are done."""

    stage: str
    done: int
    total: int


def run_stage(stage: Stage, out: Path) -> Iterator[Progress]:
    """Compute what is missing and write `out`; nothing happens where it is there already.

    Raises `PartitionsFailedError` after everything else was done, and `KeyboardInterrupt` on Ctrl-C.
    """
    if is_done(stage, out):
        return
    parts = Parts(out, stage.key)
    parts.folder.mkdir(exist_ok=True)
    missing = parts.missing(stage.partitions)
    done = stage.partitions - len(missing)
    yield Progress(stage=stage.name, done=done, total=stage.partitions)
    failed: dict[int, str] = {}
    for partition, problem in computed(missing, stage.work, parts):
        if problem:
            failed[partition] = problem
        else:
            done += 1
            yield Progress(stage=stage.name, done=done, total=stage.partitions)
    if set(parts.missing(stage.partitions)) - set(failed):
        raise KeyboardInterrupt  # on Ctrl-C Daft may just end its rows
    if failed:
        raise PartitionsFailedError(told(stage, failed))
    parts.merge(stage.partitions, record_of(stage, [parts.file(each) for each in range(stage.partitions)]))


def is_done(stage: Stage, out: Path) -> bool:
    """Whether `out` is what the stage would make."""
    found = read_record(out)
    return found is not None and found.key == stage.key


def computed(partitions: list[int], work: Callable[[int], Any], parts: Parts) -> Iterator[tuple[int, str]]:
    """Each partition once it is written, or why it could not be, in whatever order they come."""
    if not partitions:
        return
    engine = daft()
    by_one = engine.func.batch(return_dtype=engine.DataType.string(), batch_size=1, use_process=False)(attempts)
    frame = spread(engine.from_pydict({"partition": partitions}), len(partitions))
    frame = frame.select(engine.col("partition"), by_one(engine.col("partition"), work, parts).alias("problem"))
    start()
    told_of = 0
    try:
        for row in frame.iter_rows(results_buffer_size=1):
            told_of += 1
            yield row["partition"], row["problem"]
    finally:
        if told_of < len(partitions):
            stop()


def spread(frame: Any, partitions: int) -> Any:
    """Cut into tasks for a cluster, where what is not cut is one task of one machine; threads take it row by row."""
    return frame.into_partitions(min(partitions, MOST_TASKS)) if os.environ.get("DAFT_RUNNER") == "ray" else frame


def attempts(partitions: Any, work: Callable[[int], Any], parts: Parts) -> list[str]:
    """What Daft calls with a column of partitions: a function of a module, which other processes know, too."""
    numbers = partitions.to_pylist()
    try:
        return [attempt(int(each), work, parts) for each in numbers]
    except StoppedError:
        return ["stopped"] * len(numbers)


def attempt(partition: int, work: Callable[[int], Any], parts: Parts) -> str:
    """Compute and write a partition; what is wrong with it, if it fails every time."""
    for tries_left in reversed(range(TRIES)):
        try:
            with working():
                parts.write(partition, work(partition))
            return ""
        except Exception as error:  # noqa: BLE001, PERF203 - the other partitions go on, and this one is named
            if not tries_left:
                return " ".join(f"{type(error).__name__}: {error}".split())
    return ""


def told(stage: Stage, failed: Mapping[int, str]) -> str:
    """The sentence about partitions that failed."""
    first = "; ".join(f"{each} ({problem})" for each, problem in sorted(failed.items())[:MOST_NAMED])
    kept = stage.partitions - len(failed)
    return (
        f"{len(failed)} of {counted(stage.partitions, 'partition')} of {stage.name} failed {TRIES} times: {first}. "
        f"{counted(kept, 'partition')} {'is' if kept == 1 else 'are'} kept; the same command tries only the rest again"
    )


def record_of(stage: Stage, files: list[Path]) -> Record:
    """What stands in the output's metadata."""
    return Record(
        stage=stage.name,
        version=stage.version,
        key=stage.key,
        inputs=stage.inputs,
        parameters=dict(stage.parameters),
        summary={**stage.summary, **stage.summarize(files)},
    )


def file_digest(file: Path) -> str:
    """The SHA-256 of a file's bytes, of which a megabyte is in memory."""
    digest = hashlib.sha256()
    with file.open("rb") as opened:
        while block := opened.read(BLOCK):
            digest.update(block)
    return digest.hexdigest()
