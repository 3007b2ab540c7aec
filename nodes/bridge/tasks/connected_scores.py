"""What Z-Image Score measures: a score by its name, with what is connected to the node."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from ....zimage_core.scoring.score import Request, Score
from . import model_scores, scores, set_distance


@dataclass(frozen=True, kw_only=True)
class Given:
    """What a score may look at besides the pictures; None where nothing is connected."""

    request: Request
    reader: str
    clip_vision: Any = None
    reference: Any = None
    boxes: Any = None


def measured(name: str, images: Any, given: Given, labels: str) -> scores.Scored | set_distance.SetDistance:
    """IMAGE (b, h, w, c) by the score of that name; `labels` are the pictures', one a line, or none.

    Raises ValueError for what a score lacks, and for a name that is unknown.
    """
    if name == set_distance.NAME:
        return set_distance.distance_of_sets(images, given.reference, given.clip_vision)
    make = BY_CONNECTION.get(name)
    by = make(images, given) if make else scores.score_of(name, given.reader)
    return scores.scored(images, by, given.request, labels)


def _likeness(_: Any, given: Given) -> Score:
    return model_scores.likeness(given.clip_vision, given.reference)


def _boxes(images: Any, given: Given) -> Score:
    return model_scores.of_boxes(scores.pil_pictures(images), given.boxes)


def _asking(name: str, _: Any, given: Given) -> Score:
    return model_scores.asking(name, given.request.rules)


BY_CONNECTION: dict[str, Callable[[Any, Given], Score]] = {
    model_scores.LIKENESS: _likeness,
    model_scores.QUESTIONS: partial(_asking, model_scores.QUESTIONS),
    model_scores.SOFT_TIFA: partial(_asking, model_scores.SOFT_TIFA),
    model_scores.OF_BOXES: _boxes,
}
ONLY_HERE = (
    model_scores.LIKENESS,
    model_scores.QUESTIONS,
    model_scores.SOFT_TIFA,
    set_distance.NAME,
    model_scores.OF_BOXES,
)
