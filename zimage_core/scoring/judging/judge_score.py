"""What scores by a judge share: one question after another, and a server that fails costs its own picture only."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image

from ...chat_server import NoServerError
from ..score import Measurement, Request
from .vision_model import VisionModel


@dataclass(frozen=True)
class JudgeScore(ABC):
    """A judge's number for a picture."""

    judge: VisionModel

    @property
    def reader(self) -> str:
        """The judge."""
        return self.judge.name

    def __call__(self, pictures: Sequence[Image.Image], requests: Sequence[Request]) -> list[Measurement]:
        """One number a picture; what the judge does not tell is missing, not 0.

        Raises `NoServerError` where nobody answers: no other picture would fare better.
        """
        return [self._measured(*each) for each in zip(pictures, requests, strict=True)]

    def _measured(self, picture: Image.Image, request: Request) -> Measurement:
        try:
            return self.measure(picture, request)
        except NoServerError:
            raise
        except ValueError as error:  # of the request's questions, or of the server
            return Measurement.missing(str(error))

    @abstractmethod
    def measure(self, picture: Image.Image, request: Request) -> Measurement:
        """The number of one picture; raises ValueError where there is none."""
