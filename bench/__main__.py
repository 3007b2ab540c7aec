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
from .cells import PARTS, Cell, parse_size
from .counts import Counted, count_all
from .plan import machine_matrix, machine_setup, plan_cells, tiny_setup
from .plot import plot
from .random_weights import Setup, Weights
from .run import measure_all, peers, preamble, results
from .systems.ours import Ours
from .table import append, size, table
from .timing import Pace
from .variants import VARIANTS

HERE = Path(__file__).parent
FEWEST_TEXT_LAYERS = 3  # it takes the last but one's output
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


def arguments(words: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
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
    options = parser.parse_args(words)
    if options.layers is not None and options.layers < 1:
        parser.error(f"--layers is {options.layers}; a transformer has at least 1")
    if options.text_layers is not None and options.text_layers < FEWEST_TEXT_LAYERS:
        parser.error(f"--text-layers is {options.text_layers}; ComfyUI's encoder needs at least {FEWEST_TEXT_LAYERS}")
    return options


def main() -> None:
    """Count or measure, print one table, append it to the log."""
    options = arguments()
    device = torch.device(options.device)
    if options.count:
        count(options, device)
    else:
        measure(options, machine_setup(device, getattr(torch, options.dtype), options.layers, options.text_layers))


def measure(options: argparse.Namespace, setup: Setup) -> None:
    """The measuring mode."""
    is_cpu = setup.device.type == "cpu"
    pace = Pace(
        seconds=options.seconds,
        warmups=options.warmups or (1 if is_cpu else 3),
        least=3 if is_cpu else 15,
        most=max(options.rounds or 25, 3 if is_cpu else 15),
    )
    weights, notes = Weights(setup), Notes()
    makers = [] if options.no_peers else peers(setup.device, notes.add)
    matrix = machine_matrix(setup.device, options.sizes, options.captions)
    cells = (matrix.full if options.full else matrix.star)(options.parts)
    peak = machine.peak_flops(setup.device, setup.dtype)
    n_contestants = 2 + sum(not is_cpu or not VARIANTS[name].needs_card for name in options.variants) + len(makers)
    planned, left_out = plan_cells(cells, setup, n_contestants, options.seconds, peak, pace)
    for each in left_out:
        notes.add(f"left out: {each.cell.part}, {each.cell.describe()} would take about {each.fewest:.0f} s more")
    if not planned:
        sys.exit(
            f"nothing fits within {options.seconds:.0f} s; raise --seconds, or lower --sizes, --captions or --layers"
        )
    found = measure_all(planned, weights, makers, options.variants, pace, peak, notes.add)
    report(options, "seconds", [*preamble(weights, peak, command()), *notes.sentences], results(found))
    if options.plot:
        say(plot(found, options.plot))


def count(options: argparse.Namespace, device: torch.device) -> None:
    """The counting mode, at widths a processor counts in a minute: operations do not depend on them."""
    cell = Cell(part="transformer", size=(options.sizes or [(128, 128)])[0], caption=32)
    notes = Notes()
    makers = [Ours, *([] if options.no_peers else peers(device, notes.add))]
    small = replace(tiny_setup(n_heads=12), vae=FLUX_VAE, device=device)
    setups = [replace(small, dtype=dtype) for dtype in (torch.float32, torch.bfloat16)]
    rows = [count_row(each) for each in count_all(makers, setups, cell)]
    lines = [
        f"machine: {machine.describe(device)}; versions: {machine.versions()}",
        f"{cell.describe()}, widths {small.dit.dim} and {small.text.dim}; a layer is the difference of two depths",
        f"command: `{command()}`",
        *notes.sentences,
    ]
    report(options, "counts", lines, table(COUNT_HEADER, rows))


def count_row(each: Counted) -> tuple[str, ...]:
    """One subject, system and precision."""
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
    """Print, and append to the log unless told not to."""
    for line in (*lines, "", body):
        say(line)
    if not options.no_log:
        append(options.log, title, lines, body)


def command() -> str:
    """The command that made the table."""
    return shlex.join(("python", "-m", "bench", *sys.argv[1:]))


def say(line: str) -> None:
    """To the terminal."""
    sys.stdout.write(line + "\n")


class Notes:
    """What a reader of the table must know beside it: said at once, and kept for the log."""

    def __init__(self) -> None:
        self.sentences: list[str] = []

    def add(self, sentence: str) -> None:
        """One more."""
        self.sentences.append(sentence)
        tqdm.write(sentence)


if __name__ == "__main__":
    main()
