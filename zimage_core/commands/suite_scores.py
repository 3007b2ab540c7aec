"""The scores that a suite's pictures are measured by, from what was typed."""

import argparse
from collections.abc import Sequence

from ..evaluation.case import Suite
from ..nano.judging.scene_score import SceneDetector, SceneScore
from ..nano.judging.small_world import SMALL_WORLD
from ..scoring.detection import FolderDetector, GenEvalScore
from ..scoring.lettering.lettering_score import LetteringScore, ReadOnce
from ..scoring.lettering.rapid import RapidReader
from ..scoring.lettering.reader import Reader
from ..scoring.lettering.tesseract import TesseractReader
from ..scoring.score import Score
from .machine import device_of


def scores_for(suite: Suite, options: argparse.Namespace) -> Sequence[Score]:
    """What reads in pictures what the suite asks for."""
    match suite.reads:
        case "scene":
            return [SceneScore()]
        case "lettering":
            rules = suite.lettering.corrected if options.corrected else suite.lettering.as_authors
            reader = ReadOnce(reader_of(options.reader))
            return [LetteringScore(reader, rule) for rule in rules]
        case "objects" if suite is SMALL_WORLD:
            return [GenEvalScore(SceneDetector())]
        case "objects" if options.detector:
            return [GenEvalScore(FolderDetector(options.detector, device_of(options.device)))]
        case "objects":
            raise ValueError(
                f"{suite.title} needs --detector: a folder with an object detector that knows COCO's names"
            )
        case _:
            raise ValueError(
                f"{suite.title} needs a reader of {suite.reads}, which the command line has not: from Python give "
                "zimage_core.evaluation.runner.evaluate a score of your own"
            )


def reader_of(name: str) -> Reader:
    """A reader of text by its name on the command line."""
    return TesseractReader() if name == "tesseract" else RapidReader()
