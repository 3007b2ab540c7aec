"""Vision models as judges, by the address a person typed: questions, probabilities, grades, and reading text."""

from .grade import AESTHETICS, ALIGNMENT, GradeScore
from .questions import Question, questions_of
from .soft_tifa import SoftTifaScore
from .vision_model import VisionModel
from .written_questions import check_yes_or_no, questions_written
from .yes_no import YesNoScore

__all__ = [
    "AESTHETICS",
    "ALIGNMENT",
    "GradeScore",
    "Question",
    "SoftTifaScore",
    "VisionModel",
    "YesNoScore",
    "check_yes_or_no",
    "questions_of",
    "questions_written",
]
