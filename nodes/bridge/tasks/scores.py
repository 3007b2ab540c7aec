"""Scores on the canvas: which there are, what they are asked, and what they found as number, parts and report."""

import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cache
from importlib.util import find_spec
from typing import Any

import comfy.utils
from comfy import model_management
from PIL import Image

from ....zimage_core.grid import IN_CHINESE, Plot, plot_of
from ....zimage_core.nano.judging.prompt_score import PromptScore
from ....zimage_core.scoring.judging import VisionModel, questions_written
from ....zimage_core.scoring.lettering import (
    CHARACTER_ERROR_RATE,
    CHARACTER_RECALL,
    EXACT_MATCH,
    NED,
    ONEIG,
    OVERLAP,
    RULES,
    WORD_ACCURACY,
    LetteringScore,
    RapidReader,
    ReadOnce,
    TesseractReader,
)
from ....zimage_core.scoring.lettering.rapid import PACKAGES
from ....zimage_core.scoring.score import Measurement, Request, Score, title
from ....zimage_core.scoring.statistics import STATISTICS
from ....zimage_core.text import shortened
from ....zimage_core.text.protected import quoted_texts
from ..loading.language_server import required_language_server
from ..loading.pictures import rgb
from . import model_scores

LETTERING = tuple(
    rule.name for rule in (WORD_ACCURACY, NED, CHARACTER_RECALL, EXACT_MATCH, CHARACTER_ERROR_RATE, OVERLAP, ONEIG)
)
NAMES = (*STATISTICS, *LETTERING, PromptScore.name)
AUTOMATIC, PP_OCR, TESSERACT, VISION = "automatic", "PP-OCRv6", "tesseract", "vision model"
READERS = (AUTOMATIC, PP_OCR, TESSERACT, VISION)
LONGEST_NOTE = 120  # letters of what was seen, in a report's line
SIDE = 64  # pixels of the blank picture with which a score is tried


@dataclass(frozen=True, kw_only=True)
class Scored:
    """Pictures' measurements by one score."""

    score: Score
    measurements: Sequence[Measurement]
    labels: Sequence[str] = ()  # of the pictures, or none

    @property
    def value(self) -> float:
        """The mean of the pictures that have a number; ValueError where none has."""
        values = [each.value for each in self.measurements if each.value is not None]
        if not values:
            raise ValueError(f"No picture could be scored by {self.score.name}: {self.measurements[0].problem}.")
        return sum(values) / len(values)

    @property
    def report(self) -> str:
        """A line for the mean, and one for each picture."""
        found = [f"picture {number}: {told(self.score, each)}" for number, each in enumerate(self.measurements, 1)]
        if self.labels:
            named = zip(self.labels, self.measurements, strict=True)
            found = [
                f"picture {number} ({label}): {told(self.score, each)}" for number, (label, each) in enumerate(named, 1)
            ]
        return "\n".join([f"Average of {title_of(self.score)}: {self.value:.4g}", *found])

    @property
    def shown(self) -> dict[str, Any]:
        """For the node: the report, and a plot of two numbers or more."""
        labels = self.labels or [str(number) for number, _ in enumerate(self.measurements, 1)]
        return {
            "text": [self.report],
            **plotted(plot_of(labels, [each.value for each in self.measurements], title_of(self.score))),
        }

    @property
    def facts(self) -> dict[str, Any]:
        """For a saved picture; a picture without a number has null."""
        values = [each.value for each in self.measurements]
        return {"score": self.score.name, "reader": self.score.reader, "value": self.value, "values": values}

    @property
    def parts(self) -> str:
        """All of it as JSON."""
        pictures = [facts_of(each) for each in self.measurements]
        return json.dumps({**self.facts, "higher_is_better": self.score.higher_is_better, "pictures": pictures})


def plotted(plot: Plot | None) -> dict[str, Any]:
    """A plot as a node's page draws it."""
    return {"zimage_plot": [asdict(plot)]} if plot else {}


def title_of(score: Score) -> str:
    """What is measured and by whom."""
    return title(score) if score.higher_is_better else f"{title(score)}, lower is better"


def told(score: Score, measurement: Measurement) -> str:
    """A picture's number and what was seen or read, as a report has it."""
    if measurement.value is None:
        return f"not scored, {measurement.problem}"
    seen = shortened(measurement.notes.replace("\n", " / "), LONGEST_NOTE)
    if isinstance(score, LetteringScore) and seen:
        return f"{measurement.value:.4g}, read: {seen}"
    return f"{measurement.value:.4g}, seen: {seen}" if seen else f"{measurement.value:.4g}"


def facts_of(measurement: Measurement) -> dict[str, Any]:
    """A picture's number, its parts, what was seen, and why there is no number."""
    facts = {"value": measurement.value, "parts": dict(measurement.parts), "seen": measurement.notes}
    return {**facts, **({"problem": measurement.problem} if measurement.problem else {})}


def request_of(prompt: str, texts: str, questions: str = "") -> Request:
    """What pictures should show; `texts` are those to be readable, one a line, or else the prompt's quoted ones.

    `questions` are for a judge, one a line.
    """
    lines = [line.strip() for line in texts.splitlines() if line.strip()]
    lettering = lines or [quoted[1:-1] for quoted in quoted_texts(prompt)]
    language = "zh" if any(IN_CHINESE.search(each) for each in lettering) else "en"
    return Request(prompt=prompt, lettering=tuple(lettering), language=language, rules=questions_written(questions))


def names() -> list[str]:
    """For the dropdown: what always is there, then what files and addresses of the user's add."""
    return [*NAMES, *model_scores.makers()]


def score_of(name: str, reader: str) -> Score:
    """The score of a name; ValueError for one that this version does not know."""
    if name in STATISTICS:
        return STATISTICS[name]
    if name == PromptScore.name:
        return PromptScore()
    if name not in LETTERING:
        made = model_scores.makers().get(name)
        if made is None:
            raise ValueError(f"There is no score {name!r}. Choose one of: {', '.join(names())}.")
        return made()
    return LetteringScore(reader_of(reader), RULES[name])


def chosen_reader(name: str) -> str:
    """PP-OCRv6 where it is installed, else tesseract where that is; where neither is, PP-OCRv6, which says how."""
    if name != AUTOMATIC:
        return name
    is_installed = all(find_spec(package) for package in PACKAGES)
    return TESSERACT if not is_installed and shutil.which(TESSERACT) else PP_OCR


def reader_of(name: str) -> ReadOnce:
    """The reader of a name in the dropdown; ValueError for the vision model of the settings where none is there."""
    if name == VISION:
        return ReadOnce(VisionModel(required_language_server().server))
    return _reader(chosen_reader(name))


def installed_reader() -> ReadOnce | None:
    """A reader of text that is installed; None where none is."""
    is_there = all(find_spec(package) for package in PACKAGES) or shutil.which(TESSERACT)
    return _reader(chosen_reader(AUTOMATIC)) if is_there else None


@cache
def _reader(name: str) -> ReadOnce:
    """Loaded once, and asked once for each picture, whatever the rules."""
    return ReadOnce(TesseractReader() if name == TESSERACT else RapidReader())


def check_request(score: Score, request: Request) -> None:
    """Raise ValueError where a score cannot answer a request, by a blank picture, before anything is drawn."""
    [found] = score([Image.new("RGB", (SIDE, SIDE))], [request])
    if found.value is None:
        raise ValueError(f"Pictures cannot be scored by {score.name}: {found.problem}.")


def scored(images: Any, score: Score, request: Request, labels: str = "") -> Scored:
    """Measure IMAGE (b, h, w, c) of any model; can be interrupted between pictures.

    `labels` are the pictures', one a line, or none. Raises ValueError where they are not as many.
    """
    pictures, names = pil_pictures(images), labels.splitlines()
    if names and len(names) != len(pictures):
        raise ValueError(
            f"Labels here: {len(names)}; pictures: {len(pictures)}. Connect pictures and labels of one Z-Image Grid."
        )
    found = measured(pictures, score, [request] * len(pictures))
    return Scored(score=score, measurements=tuple(found), labels=names)


def measured(pictures: Sequence[Image.Image], score: Score, requests: Sequence[Request]) -> list[Measurement]:
    """Measure pictures, each by a request of its own; can be interrupted between them."""
    found: list[Measurement] = []
    bar = comfy.utils.ProgressBar(len(pictures))
    for picture, request in zip(pictures, requests, strict=True):
        model_management.throw_exception_if_processing_interrupted()
        found += score([picture], [request])
        bar.update(1)
    return found


def pil_pictures(images: Any) -> list[Image.Image]:
    """IMAGE as Save Image writes it: 8 bits, cut to whole numbers."""
    levels = (rgb(images) * 255).clamp(0, 255).byte().cpu().numpy()
    return [Image.fromarray(each) for each in levels]
