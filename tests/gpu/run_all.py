"""All GPU tests in one call, for fifteen minutes on a borrowed machine: `python tests/gpu/run_all.py`.

Every file runs in a process of its own with a limit of seconds, so one that fails, hangs or dies takes nothing with it.
CUDA graphs run a second time with the allocator that ComfyUI chooses, and last comes a real ComfyUI (COMFYUI_DIR). The
exit code is 0 where tests passed and none failed, 1 where any failed, hung or was not reached, and 5 where all were
skipped. Whole logs go to the folder $OUT, where that is set. It needs pytest and what the README here names.
"""

import argparse
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
REPOSITORY = FOLDER.parents[1]
ASYNC_ALLOCATOR = {"PYTORCH_CUDA_ALLOC_CONF": "backend:cudaMallocAsync"}
PASSED, FAILED, NOTHING_RAN = 0, 1, 5
TAIL = 40  # lines of a failing file's output that are printed


@dataclass(frozen=True, kw_only=True)
class Run:
    """One test file in a process of its own."""

    file: Path
    limit: float  # seconds
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The file, and the allocator where it is not PyTorch's own."""
        return self.file.name + (" (cudaMallocAsync)" if self.environment else "")


@dataclass(frozen=True, kw_only=True)
class Result:
    """How a file ended."""

    name: str
    outcome: str  # passed, skipped, failed, hung, died, no time left
    seconds: float
    counts: str  # pytest's last line


LIMITS = {  # seconds; the most telling files first, and the long ones after them
    "test_kernels.py": 120,
    "test_cuda_graphs.py": 90,
    "test_failed_captures.py": 60,
    "test_step.py": 60,
    "test_attention.py": 60,
    "test_quant.py": 60,
    "test_quantize.py": 90,
    "test_devices.py": 90,
    "test_autoencoder.py": 60,
    "test_text.py": 60,
    "test_pipeline.py": 60,
    "test_streaming.py": 90,
    "test_overlap.py": 60,
    "test_plan.py": 150,
    "test_bench.py": 90,
}
GRAPHS = ("test_cuda_graphs.py", "test_failed_captures.py")
COMFYUI = "test_comfyui.py"


def planned() -> list[Run]:
    """Every test file of this folder, CUDA graphs twice, ComfyUI at the end."""
    own = [Run(file=FOLDER / name, limit=limit) for name, limit in LIMITS.items()]
    asynchronous = [Run(file=FOLDER / name, limit=LIMITS[name], environment=ASYNC_ALLOCATOR) for name in GRAPHS]
    return [*own, *asynchronous, Run(file=FOLDER / COMFYUI, limit=240)]


def run_file(run: Run, limit: float, logs: Path) -> Result:
    """Run one file, for at most `limit` seconds."""
    command = [sys.executable, "-m", "pytest", "-o", "addopts=--import-mode=importlib", "-p", "no:cacheprovider"]
    command += ["-q", "-rs", "--durations=3", str(run.file)]
    threads = {"TEST_THREADS": str(os.cpu_count() or 1)}
    log = logs / f"{run.name.replace(' ', '')}.log"
    start = time.monotonic()
    with log.open("wb") as sink:
        process = subprocess.Popen(
            command,
            cwd=REPOSITORY,
            env={**os.environ, **threads, **run.environment},
            stdout=sink,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            code = process.wait(timeout=limit)
        except subprocess.TimeoutExpired:
            code = None
            os.killpg(process.pid, signal.SIGKILL)  # a server it started, too
            process.wait()
    lines = log.read_text("utf-8", errors="replace").splitlines()
    counts = next((line for line in reversed(lines) if re.search(r"\d+ (passed|failed|skipped|error)", line)), "")
    result = Result(name=run.name, outcome=_outcome(code, counts), seconds=time.monotonic() - start, counts=counts)
    show(result, lines)
    return result


def _outcome(code: int | None, counts: str) -> str:
    if code is None:
        return "hung"
    if code < 0 or code > PASSED and not counts and code != NOTHING_RAN:
        return "died"
    if code not in (PASSED, NOTHING_RAN):
        return "failed"
    return "passed" if "passed" in counts else "skipped"


def show(result: Result, lines: Sequence[str]) -> None:
    """A line for every file, and the end of its output where it went wrong."""
    if result.outcome not in ("passed", "skipped"):
        _print("\n".join(f"    {line}" for line in lines[-TAIL:]))
    _print(f"{result.outcome:8} {result.seconds:6.1f} s  {result.name:42} {result.counts}")


def run_all(runs: Sequence[Run], minutes: float, logs: Path) -> list[Result]:
    """Results of all files; those for which no time is left are not started."""
    deadline = time.monotonic() + 60 * minutes
    results: list[Result] = []
    for run in runs:
        left = deadline - time.monotonic()
        if left > 0:
            results.append(run_file(run, min(run.limit, left), logs))
        else:
            results.append(Result(name=run.name, outcome="no time left", seconds=0.0, counts=""))
    return results


def exit_code(results: Sequence[Result]) -> int:
    """0: some passed, none failed; 1: some failed, hung, died or were not reached; 5: all were skipped."""
    outcomes = {each.outcome for each in results}
    if not outcomes <= {"passed", "skipped"}:
        return FAILED
    return PASSED if "passed" in outcomes else NOTHING_RAN


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("files", nargs="*", type=Path, help="test files; all of this folder by default")
    parser.add_argument("--minutes", type=float, default=14.0, help="for everything")
    parser.add_argument("--limit", type=float, default=120.0, help="seconds for each of FILES")
    arguments = parser.parse_args()
    runs = [Run(file=file.resolve(), limit=arguments.limit) for file in arguments.files] or planned()
    with tempfile.TemporaryDirectory() as temporary:
        results = run_all(runs, arguments.minutes, Path(os.environ.get("OUT") or temporary))
    code = exit_code(results)
    _print("\nSummary")
    for each in results:
        _print(f"  {each.outcome:12} {each.seconds:6.1f} s  {each.name:42} {each.counts}")
    _print({PASSED: "All passed.", FAILED: "Something failed.", NOTHING_RAN: "Everything was skipped."}[code])
    return code


def _print(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
