"""Yes or no, question by question: DPG-Bench, OneIG's alignment and TIIF ask like this."""

import re
from dataclasses import dataclass

from PIL import Image

from ..score import Measurement, Request
from .judge_score import JudgeScore
from .questions import NO_QUESTIONS, Question, questions_of, with_parents

ASK = "{question} Answer with yes or no."
FIRST_WORD = re.compile(r"\W*(\w+)")


@dataclass(frozen=True)
class YesNoScore(JudgeScore):
    """The share of a request's questions that are answered right; a child of a wrong parent counts 0."""

    name: str = "questions"
    higher_is_better: bool = True

    def measure(self, picture: Image.Image, request: Request) -> Measurement:
        """Questions answered in prose are left out and named; a picture has no number where all were."""
        questions = questions_of(request)
        answers = {number: self._answer(picture, question) for number, question in questions.items()}
        if not questions:
            return Measurement.missing(NO_QUESTIONS)
        right = {
            number: float(said == questions[number].answer.strip().lower()) for number, said in answers.items() if said
        }
        if not right:
            return Measurement.missing(
                f"{self.judge.name} answered neither yes nor no to any of {len(questions)} questions"
            )
        counted = with_parents(right, questions)
        wrong = [f"{questions[number].text} {answers[number]}" for number, value in counted.items() if not value]
        unread = [f"not answered: {questions[number].text}" for number, said in answers.items() if not said]
        parts = {"right": sum(counted.values()), "answered": len(counted), "questions": len(questions)}
        return Measurement(value=sum(counted.values()) / len(counted), parts=parts, notes="\n".join([*wrong, *unread]))

    def _answer(self, picture: Image.Image, question: Question) -> str:
        return yes_or_no(self.judge.ask(picture, ASK.format(question=question.text), tokens=8).text)


def yes_or_no(text: str) -> str:
    """ "yes" or "no", by an answer's first word; empty where it is neither."""
    first = FIRST_WORD.match(text)
    word = first.group(1).lower() if first else ""
    return word if word in ("yes", "no") else ""
