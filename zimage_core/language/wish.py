"""What is wished of a text about a request, and what came of it."""

from dataclasses import dataclass, field
from typing import Literal

from ..config import MAX_CAPTION_TOKENS
from .thinking import Budgets
from .token_choice import Sampling
from .writing_tasks import PROMPT, Task

When = Literal["always", "when it needs reasoning", "off"]
Language = Literal["as the request", "en", "zh"]


@dataclass(frozen=True, kw_only=True)
class Wish:
    """How a request is to be enhanced."""

    task: Task = PROMPT
    when: When = "always"
    language: Language = "as the request"
    length: str = "medium"
    budgets: Budgets = field(default_factory=Budgets)
    sampling: Sampling = field(default_factory=Sampling)
    seed: int = 0
    max_tokens: int = MAX_CAPTION_TOKENS  # of the encoder, template included
    earlier: str = ""  # the prompt that the request changes, or the instructions before this one
    unlike: tuple[str, ...] = ()  # texts from which this one should differ


@dataclass(frozen=True, kw_only=True)
class Enhanced:
    """The prompt to draw, what was thought, why it is the request itself, where it is, and what was put back in it."""

    prompt: str
    reasoning: str = ""
    problem: str = ""
    note: str = ""
    changed: bool = True
