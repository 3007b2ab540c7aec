"""What is to be written about a request: its prompt, its negative prompt, or an instruction to edit a picture."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Task:
    """One kind of text."""

    name: str  # of its instructions' folder and files
    lengths: Mapping[str, tuple[int, int]]  # words in English, characters in Chinese
    keeps_lettering: bool = True  # texts in quotation marks must be in the answer; or else must not
    falls_back: bool = True  # the request itself does where nothing right was written; or else nothing


PROMPT = Task(name="enhance", lengths={"short": (60, 80), "medium": (120, 160), "long": (250, 350)})
NEGATIVE = Task(
    name="negative",
    lengths={"short": (4, 8), "medium": (10, 20), "long": (25, 40)},
    keeps_lettering=False,
    falls_back=False,
)
EDIT = Task(name="edit", lengths={"short": (8, 20), "medium": (20, 45), "long": (50, 90)})
