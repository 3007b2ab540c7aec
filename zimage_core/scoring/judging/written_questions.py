"""Questions about a picture as a person writes them, one a line.

Yes is the right answer unless another one stands behind `=`. A question that only makes sense where another one is
right is indented below it:

    Is there a fox?
      Is the fox red?
    How many stars are there? = two
"""

from typing import Any

from .yes_no import yes_or_no

TAB = 4  # spaces


def questions_written(text: str) -> dict[str, dict[int, Any]]:
    """A request's rules: "questions", "answers" and "parents", which are all the questions that one stands below."""
    questions: dict[int, str] = {}
    answers: dict[int, str] = {}
    parents: dict[int, tuple[int, ...]] = {}
    above: list[tuple[int, int]] = []  # indent and number of the questions that the next one may stand below
    for line in text.expandtabs(TAB).splitlines():
        if not line.strip():
            continue
        number, indent = len(questions) + 1, len(line) - len(line.lstrip())
        above = [each for each in above if each[0] < indent]
        question, _, answer = line.replace("\uff1d", "=").partition("=")
        questions[number], answers[number] = question.strip(), answer.strip() or "yes"
        parents[number] = tuple(each for _, each in above)
        above.append((indent, number))
    return {"questions": questions, "answers": answers, "parents": parents}


def check_yes_or_no(rules: dict[str, dict[int, Any]]) -> None:
    """Raise ValueError for an answer that nobody gives who says yes or no."""
    odd = next((answer for answer in rules["answers"].values() if yes_or_no(answer) != answer.lower()), None)
    if odd is not None:
        raise ValueError(
            f"questions: the answer '{odd}' is neither yes nor no. Choose Soft-TIFA, or ask so that yes or no is right."
        )
