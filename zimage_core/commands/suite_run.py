"""What `zimage evaluate` does with its parsed options: it draws, measures and writes the report."""

import argparse
import json
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tqdm import tqdm

from ..chat_server import NoServerError
from ..evaluation.case import Case, Reading, Suite, spaced
from ..evaluation.journal import read_journal
from ..evaluation.pictures import find, unclaimed
from ..evaluation.report import Report, make_report
from ..evaluation.report_folder import PAGE, look_in, write_report
from ..evaluation.run import Shard, describe, enter
from ..evaluation.runner import Draw, evaluate, write_beside
from ..evaluation.told import check_read, told
from ..nano.judging.suites import EVERY_SUITE, OWN_SUITES, scores_for
from ..scoring.score import Score
from .machine import device_of, dtype_of
from .suite_scores import TypedReaders

PICTURES = "pictures"  # below --out, where they are drawn


def run_suite(options: argparse.Namespace) -> None:
    """Measure a suite and print its numbers; raises ValueError where there are none."""
    suite = EVERY_SUITE[options.suite]
    whole = read_cases(suite, options)
    cases = spaced(whole, options.limit)
    folder: Path = options.images or options.out / PICTURES
    if options.images:
        check_pictures(folder, cases)
    draw, source = (None, "given pictures") if options.images else drawer_of(options)
    scores = scores_for(suite, TypedReaders(options), as_authors=not options.corrected)
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
    try:
        measure(suite, cases, scores, folder, draw, options)
    except NoServerError as error:
        raise ValueError(f"{error}; what was measured is kept, and the same command goes on") from error
    if options.shard[1] > 1:
        part = "part {} of {} is measured".format(*options.shard)
        print(json.dumps({"shard": options.shard}) if options.json else f"{part}; without --shard its parts are joined")
        return
    report = make_report(run, suite, cases, read_journal(options.out), unclaimed(folder, whole))
    write_report(report, look_in(folder, cases), options.out)
    lines = "\n".join([*told(report), str(options.out / PAGE)])
    print(json.dumps(summary(report, options.out)) if options.json else lines)
    check_read(report)


def read_cases(suite: Suite, options: argparse.Namespace) -> list[Case]:
    """The suite's prompts."""
    if options.prompts is None and suite.name not in OWN_SUITES:
        raise ValueError(f"{suite.title} needs --prompts: the folder with its authors' prompt files")
    if options.prompts and not options.prompts.is_dir():
        raise ValueError(f"there is no folder {options.prompts}: --prompts takes the one with the authors' files")
    reading = Reading(name=name_of(options), first_seed=options.seed, as_authors=not options.corrected)
    return suite.read(options.prompts or Path(), reading)


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


def summary(report: Report, out: Path) -> dict[str, object]:
    """The result as JSON."""
    return {"report": str(out / PAGE), "figures": [asdict(figure) for figure in report.figures]}
