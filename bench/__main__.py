"""`python -m bench` measures, `python -m bench --count` counts."""

import argparse
import shlex
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from tqdm import tqdm

from zimage_core.config import FLUX_VAE

from . import machine
from .counts import MIN_TEXT_LAYERS, SystemCounts, count_all
from .plan import machine_setup, machine_sweep, plan_workloads, tiny_setup
from .plot import plot
from .random_weights import Setup, Weights
from .run import measure_all, peers, preamble, results
from .systems.comfyui import version
from .systems.ours import Ours, OursInt8
from .table import append, size, table
from .timing import TimeBudget
from .variants import VARIANTS
from .workloads import PARTS, Workload, parse_size

HERE = Path(__file__).parent
COUNT_HEADER = (
    "subject",
    "system",
    "precision",
    "operations",
    "elementwise",
    "allocations",
    "allocated",
    "syncs",
    "live peak",
)


def arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parsed command line."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--count", action="store_true", help="count operations, bytes and syncs instead of seconds")
    parser.add_argument("--seconds", type=float, default=600, help="time budget for all cells (default %(default)s)")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS), help="what to measure")
    parser.add_argument("--sizes", nargs="+", type=parse_size, metavar="WxH", help="pictures; the first is the centre")
    parser.add_argument(
        "--captions", nargs="+", type=int, default=[128, 32, 512], help="tokens; the first is the centre"
    )
    parser.add_argument("--full", action="store_true", help="every combination, not only one change from the centre")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--dtype", choices=("bfloat16", "float32", "float16"), default="bfloat16")
    parser.add_argument("--layers", type=int, help="main layers of the transformer (default: what fits)")
    parser.add_argument("--text-layers", type=int, help="layers of the text encoder (default: what fits)")
    parser.add_argument("--warmups", type=int, help="rounds before timing (default 3, on a CPU 1)")
    parser.add_argument("--rounds", type=int, help="most rounds timed (default 25)")
    parser.add_argument("--variants", nargs="*", choices=VARIANTS, default=list(VARIANTS), help="ours, otherwise")
    parser.add_argument("--no-peers", action="store_true", help="only ours and its variants")
    parser.add_argument("--log", type=Path, default=HERE / "log.md", help="where the table is appended")
    parser.add_argument("--no-log", action="store_true", help="print only")
    parser.add_argument("--plot", type=Path, metavar="PNG", help="draw a plot, for instance docs/bench.png")
    options = parser.parse_args(argv)
    if options.layers is not None and options.layers < 1:
        parser.error(f"--layers is {options.layers}; a transformer has at least 1")
    if options.text_layers is not None and options.text_layers < MIN_TEXT_LAYERS:
        parser.error(f"--text-layers is {options.text_layers}; ComfyUI's encoder needs at least {MIN_TEXT_LAYERS}")
    return options


def main() -> None:
    """Run the benchmark in counting or timing mode, print one table, append it to the log."""
    options = arguments()
    device = torch.device(options.device)
    if options.count:
        count(options, device)
    else:
        measure(options, machine_setup(device, getattr(torch, options.dtype), options.layers, options.text_layers))


def measure(options: argparse.Namespace, setup: Setup) -> None:
    """Timing mode: plan the workloads, time all systems, report."""
    is_cpu = setup.device.type == "cpu"
    budget = TimeBudget(
        seconds=options.seconds,
        warmups=options.warmups or (1 if is_cpu else 3),
        min_rounds=3 if is_cpu else 15,
        max_rounds=max(options.rounds or 25, 3 if is_cpu else 15),
    )
    weights, notes = Weights(setup), Notes()
    factories = [] if options.no_peers else peers(setup.device, notes.add)
    sweep = machine_sweep(setup.device, options.sizes, options.captions)
    workloads = (sweep.all_combinations if options.full else sweep.one_at_a_time)(options.parts)
    peak_flops = machine.peak_flops(setup.device, setup.dtype)
    n_runners = 2 + sum(not is_cpu or not VARIANTS[name].needs_cuda for name in options.variants) + len(factories)
    planned, skipped = plan_workloads(workloads, setup, n_runners, options.seconds, peak_flops, budget)
    for each in skipped:
        notes.add(
            f"left out: {each.workload.part}, {each.workload.describe()} would take about {each.min_seconds:.0f} s more"
        )
    if not planned:
        sys.exit(
            f"nothing fits within {options.seconds:.0f} s; raise --seconds, or lower --sizes, --captions or --layers"
        )
    measurements = measure_all(planned, weights, factories, options.variants, budget, peak_flops, notes.add)
    report(options, "seconds", [*preamble(weights, peak_flops, command()), *notes.sentences], results(measurements))
    if options.plot:
        print_line(plot(measurements, options.plot))


def count(options: argparse.Namespace, device: torch.device) -> None:
    """Counting mode. Small widths keep it under a minute on a CPU; the operation counts do not depend on the width."""
    workload = Workload(part="transformer", size=(options.sizes or [(128, 128)])[0], caption=32)
    notes = Notes()
    factories = [Ours, OursInt8, *([] if options.no_peers else peers(device, notes.add))]
    small = replace(tiny_setup(n_heads=12), vae=FLUX_VAE, device=device)
    setups = [replace(small, dtype=dtype) for dtype in (torch.float32, torch.bfloat16)]
    rows = [table_row(each) for each in count_all(factories, setups, workload)]
    lines = [
        f"machine: {machine.describe(device)}; versions: {machine.versions()}, {version()}",
        f"{workload.describe()}, widths {small.dit.dim} and {small.text.dim}; a layer is the difference of two depths",
        f"command: `{command()}`",
        *notes.sentences,
    ]
    report(options, "counts", lines, table(COUNT_HEADER, rows))


def table_row(each: SystemCounts) -> tuple[str, ...]:
    """Table row of one subject, system and precision."""
    counts = each.counts
    return (
        each.subject,
        each.system,
        each.dtype,
        str(counts.operations),
        size(counts.elementwise_bytes),
        str(counts.allocations),
        size(counts.allocated_bytes),
        str(counts.syncs),
        size(counts.peak_bytes),
    )


def report(options: argparse.Namespace, title: str, lines: Sequence[str], body: str) -> None:
    """Print the report, and append it to the log unless --no-log is set."""
    for line in (*lines, "", body):
        print_line(line)
    if not options.no_log:
        append(options.log, title, lines, body)


def command() -> str:
    """This process's command line, for the report."""
    return shlex.join(("python", "-m", "bench", *sys.argv[1:]))


def print_line(line: str) -> None:
    """Write a line to stdout."""
    sys.stdout.write(line + "\n")


class Notes:
    """Remarks that belong with the table: printed immediately and collected for the log."""

    def __init__(self) -> None:
        self.sentences: list[str] = []

    def add(self, sentence: str) -> None:
        """Print and collect a remark."""
        self.sentences.append(sentence)
        tqdm.write(sentence)


if __name__ == "__main__":
    main()
