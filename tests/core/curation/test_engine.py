"""The engine: partitions, retries, kills; truth is what was asked of each partition."""

import errno
import os
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest

from zimage_core.curation.engine import PartitionsFailedError, Stage, read_record, run_stage

PARTITIONS = 6


class Calls:
    """What was called, in a file, as work may be done on a copy in another process."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def add(self, partition: int) -> int:
        with self.file.open("a") as opened:
            opened.write(f"{partition}\n")
        return self.read().count(partition)

    def read(self) -> list[int]:
        return sorted(map(int, self.file.read_text().split())) if self.file.is_file() else []


@pytest.fixture
def calls(tmp_path_factory):
    return Calls(tmp_path_factory.mktemp("calls") / "calls.txt")


def numbered(partition: int, calls: Calls):
    calls.add(partition)
    return numbered_table(partition)


def numbered_table(partition: int):
    return pyarrow.table({"number": list(range(10 * partition, 10 * partition + 10))})


def flaky(partition: int, calls: Calls):
    tries = calls.add(partition)
    if (partition == 1 and tries < 3) or partition == 4:
        raise OSError("the disk is tired")
    return numbered_table(partition)


def stage_of(work, **changes) -> Stage:
    given = {"name": "count", "version": 1, "inputs": "", "parameters": {}, "partitions": PARTITIONS, "work": work}
    return Stage(**(given | changes))


def finish(stage: Stage, out: Path) -> list[int]:
    return [progress.done for progress in run_stage(stage, out)]


def test_rows_stand_in_the_order_of_partitions_and_the_same_call_does_nothing(tmp_path, calls):
    out = tmp_path / "n.parquet"
    assert finish(stage_of(partial(numbered, calls=calls)), out) == list(range(PARTITIONS + 1))
    assert pyarrow.parquet.read_table(out)["number"].to_pylist() == list(range(60))
    assert calls.read() == list(range(PARTITIONS)) and [each.name for each in tmp_path.iterdir()] == ["n.parquet"]
    before = out.stat().st_mtime_ns
    assert finish(stage_of(partial(numbered, calls=calls)), out) == []
    assert len(calls.read()) == PARTITIONS and out.stat().st_mtime_ns == before
    finish(stage_of(partial(numbered, calls=calls), parameters={"other": 1}), out)
    assert len(calls.read()) == 2 * PARTITIONS and read_record(out).parameters == {"other": 1}


def test_a_partition_that_fails_is_tried_again_then_named_and_the_others_are_kept(tmp_path, calls):
    out = tmp_path / "n.parquet"
    with pytest.raises(
        PartitionsFailedError, match=r"1 of 6 partitions of count failed 3 times: 4 \(OSError: the disk"
    ):
        finish(stage_of(partial(flaky, calls=calls)), out)
    assert not out.exists() and calls.read() == [0, 1, 1, 1, 2, 3, 4, 4, 4, 5]
    finish(stage_of(partial(numbered, calls=calls)), out)
    assert calls.read().count(4) == 4 and len(calls.read()) == 11 and pyarrow.parquet.read_table(out).num_rows == 60


def test_a_disk_that_is_full_at_the_end_is_told_in_a_sentence_and_only_the_end_is_done_again(
    tmp_path, calls, monkeypatch
):
    out = tmp_path / "n.parquet"

    def full(opened, files, record):
        opened.write(b"PAR1")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("zimage_core.curation.engine.output.write_rows", full)
    with pytest.raises(ValueError, match=r"disk is full: .*n\.parquet takes about 0\.0 MB .* all parts are kept"):
        finish(stage_of(partial(numbered, calls=calls)), out)
    assert not out.exists() and [each.suffix for each in tmp_path.iterdir()] == [".parts"]
    monkeypatch.undo()
    finish(stage_of(partial(numbered, calls=calls)), out)
    assert calls.read() == list(range(PARTITIONS)) and pyarrow.parquet.read_table(out).num_rows == 60


KILLED = """
import sys, time, pyarrow
from pathlib import Path
from zimage_core.curation.engine import Stage, run_stage
def work(partition):
    if partition > 2: time.sleep(60)
    return pyarrow.table({"number": list(range(10 * partition, 10 * partition + 10))})
stage = Stage(name="count", version=1, inputs="", parameters={}, partitions=6, work=work)
for progress in run_stage(stage, Path(sys.argv[1])):
    print(progress.done, flush=True)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="kill -9 is POSIX's")
def test_a_killed_run_goes_on_with_what_is_missing(tmp_path, calls):
    out = tmp_path / "n.parquet"
    with subprocess.Popen([sys.executable, "-c", KILLED, str(out)], stdout=subprocess.PIPE, text=True) as process:
        assert any(line.strip() == "3" for line in process.stdout)
        process.send_signal(signal.SIGKILL)
    assert not out.exists()
    finish(stage_of(partial(numbered, calls=calls)), out)
    assert calls.read() == [3, 4, 5]
    assert pyarrow.parquet.read_table(out)["number"].to_pylist() == list(range(60))
    assert [each.name for each in tmp_path.iterdir()] == ["n.parquet"]


INTERRUPTED = KILLED.replace("time.sleep(60)", "any(map(time.sleep, unless_stopped([0.05] * 1200)))").replace(
    "import Stage, run_stage", "import Stage, run_stage, unless_stopped"
)


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C is sent to a process as POSIX does")
def test_ctrl_c_ends_a_run_at_once_as_an_interrupt_and_keeps_what_is_done(tmp_path, calls):
    out = tmp_path / "n.parquet"
    code = f"import signal\nsignal.signal(signal.SIGINT, signal.default_int_handler)\n{INTERRUPTED}"
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, "-c", code, str(out)], **pipes) as process:
        assert any(line.strip() == "3" for line in process.stdout)
        process.send_signal(signal.SIGINT)
        told = process.communicate(timeout=40)[1]
    assert process.returncode == -signal.SIGINT and "KeyboardInterrupt" in told, told
    finish(stage_of(partial(numbered, calls=calls)), out)
    assert calls.read() == [3, 4, 5]


def test_importing_the_engine_and_the_command_brings_in_no_library():
    code = (
        "import sys, zimage_core.curation.engine, zimage_core.cli; "
        "assert not {'daft', 'pyarrow', 'usearch', 'graspologic_native'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_where_a_library_is_missing_one_sentence_names_the_command(monkeypatch, tmp_path, calls):
    monkeypatch.setitem(sys.modules, "daft", None)
    with pytest.raises(ValueError, match="the data engine needs daft, .* -m pip install daft pyarrow usearch"):
        finish(stage_of(partial(numbered, calls=calls)), tmp_path / "n.parquet")
