"""Questions about a picture, from a request's rules: "questions", "answers" and "parents", each by number."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..score import Request

NO_QUESTIONS = "this request has no questions; the suite's file of them was not found beside its prompts"


@dataclass(frozen=True, kw_only=True)
class Question:
    """One of them."""

    text: str
    answer: str = "yes"  # the right one
    parents: tuple[int, ...] = ()  # questions that have to be right before this one counts; unknown numbers are none


def questions_of(request: Request) -> dict[int, Question]:
    """By number, in their order; none where the request has none. Raises `ValueError` for another form."""
    rules: Mapping[str, Any] = request.rules
    try:
        texts: Mapping[int, str] = rules.get("questions") or {}
        answers: Mapping[int, str] = rules.get("answers") or {}
        parents: Mapping[int, Sequence[int]] = rules.get("parents") or {}
        return {
            int(number): Question(
                text=str(text), answer=str(answers.get(number, "yes")), parents=tuple(map(int, parents.get(number, ())))
            )
            for number, text in texts.items()
        }
    except (AttributeError, TypeError, ValueError) as error:
        raise ValueError(f"the request's questions are not numbered texts ({error})") from None


def with_parents(right: Mapping[int, float], questions: Mapping[int, Question]) -> dict[int, float]:
    """What counts: 0 for a question whose parent is wrong, by the answers as they were given, not as they count."""
    return {
        number: 0.0 if any(right.get(parent) == 0 for parent in questions[number].parents) else value
        for number, value in right.items()
    }
