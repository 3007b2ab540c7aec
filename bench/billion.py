"""`python -m bench.billion`: what a billion pictures in eight hours would take, from rates measured on one core.

Closed formulas; nothing of it was run. Every number that is not measured but follows from one far beyond where it was
measured is marked with a dagger. `docs/billion.md` is about them.
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass

from tqdm import tqdm

from zimage_core.curation.duplicates.cells import MANY, PER_CELL
from zimage_core.curation.embedding.looks import LOOK

DAGGER = "\u2020"
WIDTH, FLOAT, PAIR = 256, 4, 24  # numbers of a vector, bytes of one, bytes of a pair in a file
CORES = 64  # of a machine
DEFAULTS = {"profile": 3.4, "embed": 27.0, "assign": 1.2e7, "pairs": 2.6e3, "looks": 770.0, "groups": 5e3}
STREAM = 1e9  # bytes a second that a machine reads and writes at once; assumed, not measured


@dataclass(frozen=True, kw_only=True)
class Rates:
    """Items per second of one core, as `bench/log.md` has them."""

    profile: float
    embed: float
    assign: float  # vectors times centres
    pairs: float  # vectors of a cell of `MANY` times `PER_CELL`
    looks: float  # pairs
    groups: float


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How the work is cut: machines' cells first, then ours inside each."""

    items: float
    hours: float
    coarse: int  # cells of the first level, each a job of its own
    outer: int  # cells of the first level that a vector is in
    links: float  # pairs found for an item, on average

    @property
    def copies(self) -> float:
        """Vectors after the first level, each in `outer` of its cells."""
        return self.items * self.outer

    @property
    def fine(self) -> float:
        """Cells of the second level, all together."""
        return self.copies / PER_CELL

    @property
    def in_cell(self) -> int:
        """Vectors that are compared with one another."""
        return MANY * PER_CELL


def stages(plan: Plan, rates: Rates) -> Iterator[tuple[str, float, float, float]]:
    """Name, FLOP, bytes moved, seconds of one core."""
    vector = WIDTH * FLOAT
    first = plan.items * plan.coarse
    second = plan.copies * plan.fine / plan.coarse
    yield "first cells", 2 * WIDTH * first, plan.items * vector * (1 + 2 * plan.outer), first / rates.assign
    yield "second cells", 2 * WIDTH * second, plan.copies * vector, second / rates.assign
    searched = plan.fine * plan.in_cell
    yield (
        "pairs",
        2 * WIDTH * searched * plan.in_cell,
        searched * vector + plan.links * plan.copies * PAIR,
        plan.copies / rates.pairs,
    )
    looked = plan.links * plan.copies
    yield "looks of pairs", 0, 2 * looked * 3 * LOOK * LOOK, looked / rates.looks
    yield "groups and keepers", 0, plan.links * plan.items * (PAIR + 2 * vector), plan.items / rates.groups


def told(plan: Plan, rates: Rates) -> Iterator[str]:
    """The tables of the page."""
    yield (
        f"{plan.items:.3g} vectors of {WIDTH}: {plan.coarse:,} cells of {plan.copies / plan.coarse:.3g}, each vector "
        f"in {plan.outer}; inside, {plan.fine / plan.coarse:,.0f} cells of {plan.in_cell:,}, each vector in {MANY}"
    )
    yield "\n| stage | FLOP | bytes moved | core hours | machines for a sixth of the time |"
    yield "| --- | --- | --- | --- | --- |"
    total, share = 0.0, plan.hours * 3600 / 6
    for name, flop, moved, seconds in stages(plan, rates):
        machines = max(seconds / CORES, moved / STREAM) / share
        total += seconds / 3600
        yield row(name, f"{flop:.2g}", f"{moved:.2g}", f"{seconds / 3600:,.0f}", f"{machines:,.1f}")
    yield row("all of it", "", "", f"{total:,.0f}", f"{total / plan.hours / CORES:,.1f} for all the time")
    yield "\n| before it | core hours | machines for all the time | bytes kept |\n| --- | --- | --- | --- |"
    kept = {"profile": 500, "embed": WIDTH * FLOAT + 3 * LOOK * LOOK}
    for name, rate in (("profile", rates.profile), ("embed", rates.embed)):
        hours = plan.items / rate / 3600
        yield row(name, f"{hours:,.0f}", f"{hours / plan.hours / CORES:,.1f}", f"{plan.items * kept[name]:.2g}")


def row(name: str, *numbers: str) -> str:
    """A line of a table, all of whose numbers are extrapolated."""
    return f"| {name} | " + " | ".join(f"{each}{DAGGER}" if each else "" for each in numbers) + " |"


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.billion", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--items", type=float, default=1e9)
    parser.add_argument("--hours", type=float, default=8)
    parser.add_argument("--coarse", type=int, default=1000, help="cells of the first level")
    parser.add_argument("--outer", type=int, default=4, help="cells of the first level that a vector is in")
    parser.add_argument("--links", type=float, default=1.0, help="pairs found for an item")
    for name, rate in DEFAULTS.items():
        parser.add_argument(f"--{name}", type=float, default=rate, help="a second, of one core")
    given = vars(parser.parse_args())
    plan = Plan(**{name: given.pop(name) for name in ("items", "hours", "coarse", "outer", "links")})
    for line in told(plan, Rates(**given)):
        tqdm.write(line)


if __name__ == "__main__":
    main()
