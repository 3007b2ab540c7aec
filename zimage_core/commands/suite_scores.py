"""The scores that a suite's pictures are measured by, from what was typed."""

import argparse
from collections.abc import Sequence

from ..chat_server import ChatServer
from ..evaluation.case import Suite
from ..evaluation.suites.geneval2 import GENEVAL2
from ..nano.judging.scene_score import SceneDetector, SceneScore
from ..nano.judging.small_world import SMALL_WORLD
from ..scoring.detection import FolderDetector, GenEvalScore
from ..scoring.features.encoder import ClipFolder
from ..scoring.features.similarity import ClipColours
from ..scoring.judging import AESTHETICS, GradeScore, SoftTifaScore, VisionModel, YesNoScore
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
            reader = ReadOnce(reader_of(suite, options))
            return [LetteringScore(reader, rule) for rule in rules]
        case "objects" if suite is SMALL_WORLD:
            return [GenEvalScore(SceneDetector())]
        case "objects" if options.detector:
            device = device_of(options.device)
            colours = ClipColours(ClipFolder(options.clip, device)) if options.clip else None
            return [GenEvalScore(FolderDetector(options.detector, device), colours)]
        case "objects":
            raise ValueError(
                f"{suite.title} needs --detector: a folder with an object detector that knows COCO's names"
            )
        case "questions":
            return [
                SoftTifaScore(judge_of(suite, options)) if suite is GENEVAL2 else YesNoScore(judge_of(suite, options))
            ]
        case "impression":
            judge = judge_of(suite, options)
            return [GradeScore(judge), GradeScore(judge, instruction=AESTHETICS, name="aesthetics")]


def reader_of(suite: Suite, options: argparse.Namespace) -> Reader:
    """A reader of text by its name on the command line; a vision model, if an address was typed."""
    if options.judge:
        return judge_of(suite, options)
    return TesseractReader() if options.reader == "tesseract" else RapidReader()


def judge_of(suite: Suite, options: argparse.Namespace) -> VisionModel:
    """The vision model at the address that was typed."""
    if not options.judge:
        raise ValueError(
            f"{suite.title} needs --judge: the address of a vision model that speaks OpenAI's protocol, such as "
            "http://127.0.0.1:8080/v1"
        )
    return VisionModel(ChatServer(address=options.judge, model=options.judge_model))
