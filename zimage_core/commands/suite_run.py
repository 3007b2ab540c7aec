"""What `zimage evaluate` does with its parsed options: it draws, measures and writes the report."""

import argparse
import json
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any

from PIL import Image
from tqdm import tqdm

from ..atomic_file import write_text
from ..evaluation.case import Case, Reading, Suite
from ..evaluation.journal import read_journal
from ..evaluation.page import html_page, interval_of
from ..evaluation.pictures import find, open_picture, unclaimed
from ..evaluation.report import Report, make_report
from ..evaluation.report_files import to_csv, to_json
from ..evaluation.run import Run, Shard, describe, enter
from ..evaluation.runner import Draw, evaluate, write_beside
from ..evaluation.suites import SUITES
from ..nano.judging.small_world import SMALL_WORLD
from ..nano.judging.suite import NANO
from ..scoring.score import Score
from .machine import device_of, dtype_of
from .suite_scores import scores_for

OWN_SUITES = {suite.name: suite for suite in (NANO, SMALL_WORLD)}  # whose prompts come with nano
EVERY_SUITE = {**OWN_SUITES, **SUITES}
PICTURES = "pictures"  # below --out, where they are drawn


def run_suite(options: argparse.Namespace) -> None:
    """Measure a suite and print its numbers."""
    suite = EVERY_SUITE[options.suite]
    cases = read_cases(suite, options)
    folder: Path = options.images or options.out / PICTURES
    if options.images:
        check_pictures(folder, cases)
    draw, source = (None, "given pictures") if options.images else drawer_of(options)
    scores = scores_for(suite, options)
    run = describe(
        suite=suite.name,
        title=suite.title,
        source=source,
        name=name_of(options),
        as_authors=not options.corrected,
        cases=cases,
        scores=scores,
    )
    enter(options.out, run)
    measure(suite, cases, scores, folder, draw, options)
    if options.shard[1] > 1:
        part = "part {} of {} is measured".format(*options.shard)
        print(json.dumps({"shard": options.shard}) if options.json else f"{part}; without --shard its parts are joined")
        return
    report = make_report(run, suite, cases, read_journal(options.out), unclaimed(folder, cases))
    write_report(report, cases, folder, options.out)
    print(json.dumps(summary(report, options.out)) if options.json else told(report, options.out))


def read_cases(suite: Suite, options: argparse.Namespace) -> list[Case]:
    """The suite's prompts, or some of them."""
    if options.prompts is None and suite.name not in OWN_SUITES:
        raise ValueError(f"{suite.title} needs --prompts: the folder with its authors' prompt files")
    if options.prompts and not options.prompts.is_dir():
        raise ValueError(f"there is no folder {options.prompts}: --prompts takes the one with the authors' files")
    reading = Reading(name=name_of(options), first_seed=options.seed, as_authors=not options.corrected)
    cases = suite.read(options.prompts or Path(), reading)
    n = min(options.limit or len(cases), len(cases))
    return [cases[index * len(cases) // n] for index in range(n)]


def name_of(options: argparse.Namespace) -> str:
    """The name that was given, or the model's."""
    return options.name or (Path(options.model).name if options.model else "zimage")


def check_pictures(folder: Path, cases: Sequence[Case]) -> None:
    """Refuse a folder without a single picture of the suite."""
    if not folder.is_dir():
        raise ValueError(f"there is no folder {folder}: --images takes the one with the pictures")
    if not any(find(folder, place) for case in cases for place in case.places):
        raise ValueError(
            f"{folder} has no picture of this suite: the first would be {cases[0].places[0].file}, "
            "in which the model's folder, if there is one, is --name"
        )


def drawer_of(options: argparse.Namespace) -> tuple[Draw, str]:
    """What draws, and how it is told."""
    from .drawer import Drawer

    device = device_of(options.device)
    drawer = Drawer(
        options.model,
        device=device,
        dtype=dtype_of(options.dtype, device),
        steps=options.steps,
        size=options.size,
        loras=options.lora,
    )
    width, height = drawer.size
    loras = "".join(f", {Path(file).name} at {strength:g}" for file, strength in options.lora)
    kind = str(drawer.dtype).removeprefix("torch.")
    source = f"drawn by {Path(options.model).name} in {drawer.steps} steps at {width}x{height} in {kind}{loras}"
    return drawer, source


def measure(
    suite: Suite,
    cases: Sequence[Case],
    scores: Sequence[Score],
    folder: Path,
    draw: Draw | None,
    options: argparse.Namespace,
) -> None:
    """Draw and measure, with a bar that appears with the first prompt."""
    part = Shard(index=options.shard[0], count=options.shard[1])
    if draw:
        write_beside(suite, cases, folder)
    bars: list[tqdm[Any]] = []
    with ExitStack() as stack:
        for progress in evaluate(cases, scores, pictures=folder, out=options.out, draw=draw, shard=part):
            if not bars:
                bars.append(stack.enter_context(tqdm(total=progress.total, unit="prompt", file=sys.stderr)))
            bars[0].update()


def write_report(report: Report, cases: Sequence[Case], folder: Path, out: Path) -> None:
    """The three files of a report."""
    places = {case.id: case.places for case in cases}

    def look(case: str, number: int) -> Image.Image | None:
        return open_picture(folder, places[case][number]).image

    write_text(out / "report.json", to_json(report))
    write_text(out / "report.csv", to_csv(report))
    write_text(out / "report.html", html_page(report, look))


def summary(report: Report, out: Path) -> dict[str, object]:
    """The result as JSON."""
    return {"report": str(out / "report.html"), "figures": [asdict(figure) for figure in report.figures]}


def told(report: Report, out: Path) -> str:
    """The result in lines."""
    run: Run = report.run
    lines = [f"{run.title}: {run.name}, {run.prompts} prompts, seeds {run.first_seed} to {run.last_seed}"]
    for figure in report.figures:
        value = "no number" if figure.value is None else f"{figure.value:.4f} ({interval_of(figure)})"
        unread = f", {figure.unread} not read" if figure.unread else ""
        lines.append(f"{figure.score}, {figure.group or 'all'}: {value}, {figure.pictures} pictures{unread}")
    return "\n".join((*lines, str(out / "report.html")))
