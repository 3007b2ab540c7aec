"""Soft-TIFA (GenEval 2, arXiv 2512.16853): how probable a judge finds the right answer to each question."""

import math
from dataclasses import dataclass

from PIL import Image

from ...chat_server import ChatServerError
from ..score import Measurement, Request
from .judge_score import JudgeScore
from .questions import NO_QUESTIONS, Question, questions_of

ASK = "{question} Answer in one word."
DOUBTED = 0.5  # right answers less probable than this are told
NUMBERS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


class NoLogProbabilities(ChatServerError):
    """A server that tells no log-probabilities."""


@dataclass(frozen=True)
class SoftTifaScore(JudgeScore):
    """The geometric mean of the probabilities (GM); their arithmetic mean (AM) is a part."""

    name: str = "Soft-TIFA"
    higher_is_better: bool = True

    def measure(self, picture: Image.Image, request: Request) -> Measurement:
        """The means over all questions."""
        questions = questions_of(request)
        found = [self._probability(picture, question) for question in questions.values()]
        if not found:
            return Measurement.missing(NO_QUESTIONS)
        geometric = math.prod(found) ** (1 / len(found))
        both = zip(found, questions.values(), strict=True)
        doubted = [f"{each.text} {each.answer} is {p:.0%} likely" for p, each in both if p < DOUBTED]
        parts = {"AM": sum(found) / len(found), "GM": geometric, "atoms": len(found)}
        return Measurement(value=geometric, parts=parts, notes="\n".join(doubted))

    def _probability(self, picture: Image.Image, question: Question) -> float:
        answer = self.judge.ask(picture, ASK.format(question=question.text), tokens=1, wants_first=True)
        if answer.first_token is None:
            raise NoLogProbabilities(
                f"{self.judge.name} tells no log-probabilities, which Soft-TIFA needs; llama.cpp's and vLLM's do"
            )
        return answer.probability(forms(question.answer))


def forms(answer: str) -> tuple[str, ...]:
    """An answer as it is, and a number also as its word or its digits."""
    plain = answer.strip().lower()
    if plain in NUMBERS:
        return plain, str(NUMBERS.index(plain))
    return (plain, NUMBERS[int(plain)]) if plain.isdigit() and int(plain) < len(NUMBERS) else (plain,)
