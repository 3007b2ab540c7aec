"""A suite drawn and measured in the queue: it can be interrupted anywhere, and the next time it goes on there."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from comfy import model_management
from torch import Tensor

from .....zimage_core.evaluation.case import Case, Reading, Suite, spaced
from .....zimage_core.evaluation.journal import read_journal
from .....zimage_core.evaluation.page import Look, mean_of, worse_than_best, worst_first
from .....zimage_core.evaluation.pictures import find, unclaimed
from .....zimage_core.evaluation.report import ALL, Figure, Report, make_report
from .....zimage_core.evaluation.report_folder import look_in, write_report
from .....zimage_core.evaluation.run import describe
from .....zimage_core.evaluation.runner import Draw, evaluate, write_beside
from .....zimage_core.evaluation.told import check_read, told
from .....zimage_core.grid import Plot
from .....zimage_core.nano.judging.suites import EVERY_SUITE, OWN_SUITES, Readers, scores_for
from ..tried_sheet import tried_sheet
from .folders import named_folder
from .painter import SuiteBar

SUITES = tuple(EVERY_SUITE)
PICTURES = "pictures"  # below where the measurements are
SHOWN = 8  # of the worst prompts
ALIKE = "No prompt is worse than another"
SMALLEST = 192  # pixels to which smaller pictures are enlarged, so that their names fit above them


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Which prompts of a suite, counted how, and the folders."""

    suite: Suite
    cases: tuple[Case, ...]
    whole: tuple[Case, ...]  # without the limit
    name: str
    as_authors: bool
    pictures: Path
    out: Path


@dataclass(frozen=True, kw_only=True)
class Evaluated:
    """What was found."""

    report: Report
    look: Look

    @property
    def value(self) -> float:
        """The first score's number of all prompts."""
        value = next(each.value for each in self.report.figures if each.group == ALL)
        assert value is not None  # check_read
        return value

    @property
    def facts(self) -> dict[str, Any]:
        """For a saved picture."""
        run, column = self.report.run, self.report.run.columns[0]
        counted = {"suite": run.suite, "prompts": run.prompts, "pictures": run.pictures}
        return {**counted, "score": column.name, "reader": column.reader, "value": self.value}

    @property
    def lines(self) -> list[str]:
        """As the node shows it."""
        return told(self.report)

    @property
    def plot(self) -> Plot | None:
        """The first score's number of everything and of each group, with intervals; None where there is none."""
        title = self.report.run.columns[0].title
        known = [each for each in self.report.figures if each.score == title and each.value is not None]
        bars = tuple((each.group or "all", each.value) for each in known if each.value is not None)
        return Plot(bars=bars, intervals=tuple(map(interval_of, known)), measured=title) if bars else None

    def sheet(self, words: Mapping[str, str]) -> Tensor:
        """IMAGE (1, H, W, 3) of first pictures, each with its prompt's name and number.

        Those of the worst prompts; where none is worse than the others, of the first ones, and a heading says so.
        `words` are the heading's by their English, where it has others.
        """
        column = self.report.run.columns[0]
        worse = worse_than_best(self.report)
        worst = (worse or worst_first(self.report))[:SHOWN]
        seen = [(each, picture) for each in worst if (picture := self.look(each.case, 0)) is not None]
        labels = [f"{each.case}: {mean_of(each, column):.3g}" for each, _ in seen]
        heading = "" if worse or len(worst) < 2 else words.get(ALIKE, ALIKE)
        return tried_sheet([image_of(picture) for _, picture in seen], labels, heading)


def interval_of(figure: Figure) -> tuple[float, float] | None:
    """The interval around a number, where there is one."""
    return None if figure.low is None or figure.high is None else (figure.low, figure.high)


def image_of(picture: Any) -> Tensor:
    """IMAGE (1, h, w, 3) of a PIL picture; small ones are enlarged to whole multiples."""
    times = -(-SMALLEST // min(picture.size))
    levels = np.asarray(picture.resize([side * times for side in picture.size], 0) if times > 1 else picture)
    return torch.from_numpy(levels.astype(np.float32) / 255)[None]


def planned(
    *,
    suite: str,
    limit: int,
    prompts_folder: str,
    pictures_folder: str,
    seed: int,
    corrected: bool,
    name: str,
    out: Path,
) -> Plan:
    """What is asked for; ValueError where prompts or pictures are missing, before anything is drawn."""
    chosen = EVERY_SUITE[suite]
    if not prompts_folder.strip() and suite not in OWN_SUITES:
        raise ValueError(
            f"{chosen.title} has its prompts in its authors' files: put them into a folder in ComfyUI's input folder, "
            "and write its name as prompts folder."
        )
    prompts = Path() if suite in OWN_SUITES else named_folder(prompts_folder, "the authors' prompt files")
    reading = Reading(name=name, first_seed=seed, as_authors=not corrected)
    whole = tuple(chosen.read(prompts, reading))
    cases = tuple(spaced(whole, limit or None))
    pictures = named_folder(pictures_folder, "pictures") if pictures_folder.strip() else out / PICTURES
    if pictures_folder.strip() and not any(find(pictures, place) for case in cases for place in case.places):
        raise ValueError(
            f"{pictures_folder} has no picture of this suite: the first would be {cases[0].places[0].file}, in which "
            "the model's folder, if there is one, is the name in model's folder."
        )
    return Plan(
        suite=chosen,
        cases=cases,
        whole=whole,
        name=name,
        as_authors=not corrected,
        pictures=pictures,
        out=out,
    )


def evaluated(plan: Plan, readers: Readers, draw: Draw | None, source: str, bar: SuiteBar) -> Evaluated:
    """Draw what is missing, measure what is not measured, and write the report; ValueError for one without a number."""
    scores = scores_for(plan.suite, readers, as_authors=plan.as_authors)
    run = describe(
        suite=plan.suite.name,
        title=plan.suite.title,
        source=source,
        name=plan.name,
        as_authors=plan.as_authors,
        cases=plan.cases,
        scores=scores,
    )
    if draw:
        write_beside(plan.suite, plan.cases, plan.pictures)
    for progress in evaluate(plan.cases, scores, pictures=plan.pictures, out=plan.out, draw=draw, at_once=1):
        bar.finish(pictures_of(plan.cases, progress.case))
        model_management.throw_exception_if_processing_interrupted()
    report = make_report(run, plan.suite, plan.cases, read_journal(plan.out), unclaimed(plan.pictures, plan.whole))
    look = look_in(plan.pictures, plan.cases)
    write_report(report, look, plan.out)
    check_read(report)
    return Evaluated(report=report, look=look)


def pictures_of(cases: Sequence[Case], name: str) -> int:
    """How many pictures a prompt has."""
    return next(len(case.places) for case in cases if case.id == name)
