"""Is the text in a picture the one that was asked for: rules over read lines, and the readers."""

from .cvtg import NED, PUBLISHED_NED, PUBLISHED_WORD_ACCURACY, WORD_ACCURACY
from .edit_distance import edit_distance
from .lettering_score import LetteringScore, ReadOnce
from .letters import CHARACTER_ERROR_RATE, CHARACTER_RECALL, EXACT_MATCH
from .oneig import ONEIG
from .overlap import OVERLAP, PUBLISHED_OVERLAP
from .rapid import RapidReader
from .reader import Line, Reader, ReaderError, sure_lines
from .rule import LetteringRule
from .self_test import check_reader
from .tesseract import TesseractReader
from .tiif import GNED, PUBLISHED_GNED, PUBLISHED_RECALL, WORD_RECALL

RULES = {
    rule.name: rule
    for rule in (
        WORD_ACCURACY,
        NED,
        CHARACTER_RECALL,
        EXACT_MATCH,
        CHARACTER_ERROR_RATE,
        OVERLAP,
        PUBLISHED_WORD_ACCURACY,
        PUBLISHED_NED,
        PUBLISHED_OVERLAP,
        ONEIG,
        GNED,
        WORD_RECALL,
        PUBLISHED_GNED,
        PUBLISHED_RECALL,
    )
}

__all__ = [
    "CHARACTER_ERROR_RATE",
    "CHARACTER_RECALL",
    "EXACT_MATCH",
    "GNED",
    "NED",
    "ONEIG",
    "OVERLAP",
    "PUBLISHED_GNED",
    "PUBLISHED_NED",
    "PUBLISHED_OVERLAP",
    "PUBLISHED_RECALL",
    "PUBLISHED_WORD_ACCURACY",
    "RULES",
    "WORD_ACCURACY",
    "WORD_RECALL",
    "LetteringRule",
    "LetteringScore",
    "Line",
    "RapidReader",
    "ReadOnce",
    "Reader",
    "ReaderError",
    "TesseractReader",
    "check_reader",
    "edit_distance",
    "sure_lines",
]
