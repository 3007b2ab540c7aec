"""A score's numbers as a column of a folder's profile; a picture is asked about once while ComfyUI runs."""

import re

from .....zimage_core.curation.captions import captions_of
from .....zimage_core.curation.in_memory import scored_row
from .....zimage_core.curation.profiling import HIGH, LOW, Column, Found, LearnedColumn, LoadedOnce
from .....zimage_core.nano.judging.prompt_score import PromptScore
from .....zimage_core.scoring.lettering.text_share import TextShareScore
from .....zimage_core.scoring.score import Score, title
from .. import model_scores, scores

NONE = "none"
REMEMBERED = 100_000  # numbers
WITHOUT_CAPTIONS = ("aesthetic", TextShareScore.name)  # how names begin of scores that look at the picture alone

_known: dict[tuple[Found, str, tuple[str, ...]], float] = {}


def names() -> list[str]:
    """For the dropdown: none, then those that tell something that the measures do not."""
    return [NONE, TextShareScore.name, PromptScore.name, *model_scores.makers()]


def column_of(name: str) -> LearnedColumn | None:
    """The column of a score in the dropdown; None for none. Raises ValueError with one sentence for what is missing."""
    if name == NONE:
        return None
    score = _score(name)
    told = title(score)
    column = Column(
        re.sub(r"\W+", "_", score.name),
        "float64",
        told,
        "the score's number for picture and caption",
        LOW if score.higher_is_better else HIGH,
        by_factors=False,
    )
    reads_captions = not name.startswith(WITHOUT_CAPTIONS)
    return LearnedColumn(column=column, identity=told, score=LoadedOnce(lambda: score), reads_captions=reads_captions)


def _score(name: str) -> Score:
    if name == TextShareScore.name:
        return TextShareScore(scores.reader_of(scores.AUTOMATIC))
    return scores.score_of(name, scores.AUTOMATIC)


def scored(row: dict[str, object], found: Found, learned: LearnedColumn) -> dict[str, object]:
    """A measured row with the column; None stands in it for what cannot be read or has no caption."""
    captions = captions_of([found.path])[0] if learned.reads_captions else ()
    key = (found, learned.identity, captions)
    if key in _known:
        return {**row, learned.name: _known[key]}
    after = scored_row(row, learned, captions)
    value = after[learned.name]
    if isinstance(value, float):
        if len(_known) >= REMEMBERED:
            del _known[next(iter(_known))]
        _known[key] = value
    return after
