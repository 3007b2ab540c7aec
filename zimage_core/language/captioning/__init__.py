"""What pictures show and how two of them differ, in words: one at a time, or a whole folder."""

from .caption import KINDS, Caption, Known, Wish, caption
from .difference import difference
from .instructions import DIFFERENCE, Instructions, read_instructions
from .job import Job, Progress, caption_folder
from .outcome import Outcome
from .records import Record, read_records
from .table import Refused, Row, Table
from .task import Writer

__all__ = [
    "DIFFERENCE",
    "KINDS",
    "Caption",
    "Instructions",
    "Job",
    "Known",
    "Outcome",
    "Progress",
    "Record",
    "Refused",
    "Row",
    "Table",
    "Wish",
    "Writer",
    "caption",
    "caption_folder",
    "difference",
    "read_instructions",
    "read_records",
]
