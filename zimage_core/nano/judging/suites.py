"""Every suite under its name, nano's own among them, and the scores of what each reads in pictures."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from ...evaluation.case import Suite
from ...evaluation.suites import SUITES
from ...evaluation.suites.geneval2 import GENEVAL2
from ...scoring.detection import ColourReader, Detector, GenEvalScore
from ...scoring.features import (
    ClipFolder,
    DiversityScore,
    NearestReferenceScore,
    PictureEncoder,
    ReferencesFolder,
    SimilarityScore,
)
from ...scoring.judging import AESTHETICS, GradeScore, SoftTifaScore, VisionModel, YesNoScore
from ...scoring.lettering import LetteringScore, Reader, ReadOnce
from ...scoring.score import Score
from .scene_score import SceneDetector, SceneScore
from .small_world import SMALL_WORLD
from .suite import NANO

OWN_SUITES = {suite.name: suite for suite in (NANO, SMALL_WORLD)}  # whose prompts come with nano
EVERY_SUITE = {**OWN_SUITES, **SUITES}


@runtime_checkable
class Readers(Protocol):
    """Who reads pictures, made once a suite needs them; each raises ValueError with a sentence where it is missing."""

    def lettering(self, suite: Suite) -> Reader:
        """A reader of text."""
        ...

    def detector(self, suite: Suite) -> Detector:
        """A finder of objects."""
        ...

    def colours(self) -> ColourReader | None:
        """Who tells colours of objects, if anybody does."""
        ...

    def judge(self, suite: Suite) -> VisionModel:
        """A vision model that answers and grades."""
        ...

    def encoder(self) -> PictureEncoder:
        """Who tells how much pictures differ."""
        ...

    def answers(self, suite: Suite) -> ClipFolder | Sequence[ReferencesFolder]:
        """Who compares pictures with written answers: by their words, or by vectors of them."""
        ...

    def references(self, suite: Suite) -> Sequence[ReferencesFolder]:
        """Vision models with vectors of what pictures should resemble."""
        ...


def scores_for(suite: Suite, readers: Readers, *, as_authors: bool) -> Sequence[Score]:
    """What reads in pictures what the suite asks for."""
    match suite.reads:
        case "scene":
            return [SceneScore()]
        case "lettering":
            rules = suite.lettering.as_authors if as_authors else suite.lettering.corrected
            reader = ReadOnce(readers.lettering(suite))
            return [LetteringScore(reader, rule) for rule in rules]
        case "objects" if suite is SMALL_WORLD:
            return [GenEvalScore(SceneDetector())]
        case "objects":
            return [GenEvalScore(readers.detector(suite), readers.colours())]
        case "questions":
            judge = readers.judge(suite)
            return [SoftTifaScore(judge) if suite is GENEVAL2 else YesNoScore(judge)]
        case "impression":
            judge = readers.judge(suite)
            return [GradeScore(judge), GradeScore(judge, instruction=AESTHETICS, name="aesthetics")]
        case "diversity":
            return [DiversityScore(readers.encoder())]
        case "answer":
            by = readers.answers(suite)
            return [SimilarityScore(by) if isinstance(by, ClipFolder) else NearestReferenceScore("reasoning", by)]
        case "style":
            return [NearestReferenceScore("style", readers.references(suite), floor=0.0)]
