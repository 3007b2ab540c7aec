"""`python -m bench.gate`: does nano still draw and edit as well as when its figures were recorded; `make gate` runs it.

Every lever is judged on the same held-out scenes or edits with the same noise as in `gate.json`, so each picture is
compared with its own earlier result: fewer right ones count as worse where McNemar's exact test says that chance rarely
does it, a picture's unexplained pixels where they have grown by a tenth. `--quick` runs the first pictures of three
levers, as CI does; then a single picture that was right and is wrong fails. `--turbo` adds nano with a LoRA for few
steps; one that comes with nano is judged always. `--record` writes new figures.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from tqdm import tqdm

from zimage_core.atomic_file import write_text
from zimage_core.evaluation.intervals import wilson
from zimage_core.evaluation.page import figure_html, page
from zimage_core.evaluation.paired import REAL, mcnemar

from .gate_levers import LEVERS, QUICK, TURBO, Lever, Outcome, turbo_levers

FIGURES = Path(__file__).with_name("gate.json")
PICTURES = 32  # of each lever
MORE_UNEXPLAINED = 1.1  # times the recorded mean
COMMAND = "python -m bench.gate --record"


@dataclass(frozen=True, kw_only=True)
class Figures:
    """What a lever's pictures were worth."""

    pictures: int
    right: int
    rate: float
    low: float  # of Wilson's 95 % interval
    high: float
    unexplained: float  # mean over pictures of the part of their levels that neither ground nor objects explain
    outcomes: str  # "1" for each picture that is right, "0" for each that is wrong
    rests: tuple[float, ...]  # the unexplained part of each


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """A lever against its record."""

    lever: str
    now: Figures
    before: Figures  # of the same pictures
    failures: tuple[str, ...]

    def told(self) -> str:
        """A line of the table."""
        now, before = self.now, self.before
        return (
            f"| {self.lever} | {now.pictures} | {before.rate:.3f} | {now.rate:.3f} ({now.low:.3f} to {now.high:.3f}) | "
            f"{before.unexplained:.4f} | {now.unexplained:.4f} | {'; '.join(self.failures) or 'as good'} |"
        )


def figures(outcomes: Sequence[Outcome]) -> Figures:
    """The figures of a lever's pictures."""
    right, n = sum(each.is_right for each in outcomes), len(outcomes)
    low, high = wilson(right, n)
    rests = tuple(round(each.unexplained, 5) for each in outcomes)
    return Figures(
        pictures=n,
        right=right,
        rate=round(right / n, 4),
        low=round(low, 4),
        high=round(high, 4),
        unexplained=round(sum(rests) / n, 5),
        outcomes="".join("01"[each.is_right] for each in outcomes),
        rests=rests,
    )


def judged(lever: str, now: Figures, recorded: Figures, *, is_strict: bool) -> Verdict:
    """A lever's pictures against those with the same numbers in the record."""
    n = now.pictures
    if n > recorded.pictures:
        raise ValueError(f"{lever} has {recorded.pictures} recorded pictures, not {n}: record them with {COMMAND}")
    before = first(recorded, n)
    lost = [i for i, (a, b) in enumerate(zip(before.outcomes, now.outcomes, strict=True)) if (a, b) == ("1", "0")]
    won = sum((a, b) == ("0", "1") for a, b in zip(before.outcomes, now.outcomes, strict=True))
    failures: list[str] = []
    p = mcnemar(won, len(lost))
    if lost and (is_strict or (p < REAL and len(lost) > won)):
        failures.append(f"{len(lost)} of {n} pictures were right and are wrong (p = {p:.3g}): {lost[:8]}")
    if now.unexplained > before.unexplained * MORE_UNEXPLAINED:
        failures.append(f"{now.unexplained / before.unexplained:.2f} times as much is unexplained")
    return Verdict(lever=lever, now=now, before=before, failures=tuple(failures))


def first(recorded: Figures, n: int) -> Figures:
    """The figures of the first n pictures."""
    return figures(
        [
            Outcome(is_right=right == "1", unexplained=rest)
            for right, rest in zip(recorded.outcomes[:n], recorded.rests[:n], strict=True)
        ]
    )


def gate(asked: Sequence[tuple[Lever, int]], recorded: dict[str, Figures], out: Path, *, is_strict: bool) -> bool:
    """Judge levers by so many pictures each, print the table, and write the pictures of one that fails as a page."""
    lines = ["| lever | pictures | right before | right now | unexplained before | now | |", "| --- " * 7 + "|"]
    bodies: list[str] = []
    for lever, n in asked:
        drawn = list(tqdm(lever.pictures(n), total=n, desc=lever.name, leave=False))
        outcomes = [lever.outcome(index, picture) for index, picture in enumerate(drawn)]
        if lever.name not in recorded:
            raise ValueError(f"{lever.name} has no recorded figures: record them with {COMMAND}")
        verdict = judged(lever.name, figures(outcomes), recorded[lever.name], is_strict=is_strict)
        lines.append(verdict.told())
        if verdict.failures:
            bodies.append(beside(lever, verdict, drawn))
    sys.stdout.write("\n".join(lines) + "\n")
    if bodies:
        out.mkdir(parents=True, exist_ok=True)
        write_text(out / "gate.html", page("Pictures that are worse than recorded", "\n".join(bodies)))
        sys.stdout.write(f"worse than recorded: {out / 'gate.html'} shows what was asked for beside what was drawn\n")
    return not bodies


def beside(lever: Lever, verdict: Verdict, drawn: Sequence[Image.Image]) -> str:
    """A failing lever's pictures, those that were lost first, each beside what was asked for."""

    def rank(index: int) -> tuple[bool, float]:
        is_lost = verdict.before.outcomes[index] > verdict.now.outcomes[index]
        return not is_lost, verdict.before.rests[index] - verdict.now.rests[index]

    rows = [f"<h2>{lever.name}</h2><p>{'; '.join(verdict.failures)}</p>"]
    for index in sorted(range(len(drawn)), key=rank)[:24]:
        before, now = verdict.before.outcomes[index], verdict.now.outcomes[index]
        wanted = figure_html(enlarged(lever.wanted(index)), "asked for")
        told = f"drawn: right before {before}, now {now}; unexplained {verdict.before.rests[index]:.4f}, now "
        found = figure_html(enlarged(drawn[index]), told + f"{verdict.now.rests[index]:.4f}")
        rows.append(f'<div class="case"><p>{index}: {lever.prompt(index)}</p>{wanted}{found}</div>')
    return "\n".join(rows)


def enlarged(picture: Image.Image) -> Image.Image:
    """A small picture with visible pixels."""
    return picture.resize((picture.width * 3, picture.height * 3), Image.Resampling.NEAREST)


def quick_levers() -> list[tuple[Lever, int]]:
    """What CI judges."""
    return [(lever, QUICK[lever.name]) for lever in LEVERS if lever.name in QUICK]


def every_lever(turbo: Path) -> tuple[Lever, ...]:
    """All levers, those of nano's Turbo where its file is there."""
    return (*LEVERS, *turbo_levers(turbo)) if turbo.exists() else LEVERS


def record(levers: Sequence[Lever], n: int) -> Iterator[tuple[str, Figures]]:
    """New figures of all levers."""
    for lever in levers:
        drawn = tqdm(lever.pictures(n), total=n, desc=lever.name, leave=False)
        yield lever.name, figures([lever.outcome(index, picture) for index, picture in enumerate(drawn)])


def read_figures(file: Path = FIGURES) -> dict[str, Figures]:
    """The recorded figures by lever."""
    found = json.loads(file.read_text("utf-8"))["levers"]
    return {name: _figures(each) for name, each in found.items()}


def _figures(found: dict[str, Any]) -> Figures:
    fields: dict[str, Any] = {**found, "rests": tuple(found["rests"])}
    return Figures(**fields)


@torch.inference_mode()
def main() -> int:
    """Command line; the exit status is 1 where something is worse."""
    parser = argparse.ArgumentParser(prog="python -m bench.gate", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="only the first pictures of three levers")
    parser.add_argument("--record", action="store_true", help=f"write new figures to {FIGURES.name}")
    parser.add_argument(
        "--out", type=Path, default=Path("build/gate"), help="where a page of worse pictures is written"
    )
    parser.add_argument("--turbo", type=Path, default=TURBO, metavar="FILE", help="a LoRA that makes nano a Turbo")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    if options.turbo != TURBO and not options.turbo.is_file():
        parser.error(f"there is no file {options.turbo}")
    levers = every_lever(options.turbo)
    if options.record:
        found = {name: asdict(each) for name, each in record(levers, PICTURES)}
        write_text(FIGURES, json.dumps({"command": COMMAND, "levers": found}, indent=1) + "\n")
        return 0
    asked = quick_levers() if options.quick else [(lever, PICTURES) for lever in levers]
    return 0 if gate(asked, read_figures(), options.out, is_strict=options.quick) else 1


if __name__ == "__main__":
    sys.exit(main())
