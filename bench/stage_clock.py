"""What a stage takes: seconds of the processor and on the clock, and bytes of the process's own at most meanwhile."""

import math
import resource
import threading
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

STATUS = Path("/proc/self/status")  # Linux's
EVERY = 0.02  # seconds between two looks at the memory


@dataclass(kw_only=True)
class Taken:
    """Of one stage."""

    stage: str
    count: int
    seconds: float = 0.0  # of the processor, all threads together: others on the machine do not count
    on_the_clock: float = 0.0
    mebibytes: int = 0  # without pages of mapped files, which the system takes back whenever it wants

    @property
    def row(self) -> str:
        """A line of `HEADER`'s table."""
        numbers = f"{self.seconds:.3g} | {self.on_the_clock:.3g} | {self.count / self.seconds:.3g} | {self.mebibytes}"
        return f"| {self.stage} | {self.count} | {numbers} |"


HEADER = (
    "| stage | items | seconds of the processor | on the clock | items per processor second | peak memory, MiB |\n"
    "| --- | --- | --- | --- | --- | --- |"
)


@contextmanager
def clocked(stage: str, count: int) -> Generator[Taken]:
    """Around a stage; its numbers are there afterwards."""
    taken, is_done = Taken(stage=stage, count=count, mebibytes=own_memory()), threading.Event()

    def watch() -> None:
        while not is_done.wait(EVERY):
            taken.mebibytes = max(taken.mebibytes, own_memory())

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    started = time.process_time(), time.perf_counter()
    try:
        yield taken
    finally:
        taken.seconds = time.process_time() - started[0]
        taken.on_the_clock = time.perf_counter() - started[1]
        is_done.set()
        watcher.join()


def own_memory() -> int:
    """Anonymous bytes of this process in MiB; where the system does not tell them apart, its peak so far."""
    if STATUS.is_file():
        for line in STATUS.read_text().splitlines():
            if line.startswith("RssAnon:"):
                return int(line.split()[1]) >> 10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10


def exponents(taken: Sequence[Taken]) -> list[str]:
    """Of each stage that ran at several counts, the power of the count that its time grows with: least squares."""
    lines: list[str] = []
    for stage in dict.fromkeys(each.stage for each in taken):
        some = [each for each in taken if each.stage == stage]
        if len({each.count for each in some}) > 1:
            logs = np.log([(each.count, each.seconds) for each in some]).T
            power = float(np.polyfit(logs[0], logs[1], 1)[0])
            last = some[-2:]
            late = math.log(last[1].seconds / last[0].seconds) / math.log(last[1].count / last[0].count)
            lines.append(f"{stage}: time grows as the number to the power of {power:.2f}, {late:.2f} at the end")
    return lines
