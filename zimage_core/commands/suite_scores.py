"""Who reads a suite's pictures, from what was typed."""

import argparse
from dataclasses import dataclass

from ..chat_server import ChatServer
from ..evaluation.case import Suite
from ..scoring.detection import FolderDetector
from ..scoring.features.encoder import ClipFolder
from ..scoring.features.similarity import ClipColours
from ..scoring.judging import VisionModel
from ..scoring.lettering.rapid import RapidReader
from ..scoring.lettering.reader import Reader
from ..scoring.lettering.tesseract import TesseractReader
from .machine import device_of


@dataclass(frozen=True)
class TypedReaders:
    """Readers by the options of the command line."""

    options: argparse.Namespace

    def lettering(self, suite: Suite) -> Reader:
        """A reader of text by its name; a vision model, if an address was typed."""
        if self.options.judge:
            return self.judge(suite)
        return TesseractReader() if self.options.reader == "tesseract" else RapidReader()

    def detector(self, suite: Suite) -> FolderDetector:
        """That of --detector."""
        if not self.options.detector:
            raise ValueError(
                f"{suite.title} needs --detector: a folder with an object detector that knows COCO's names"
            )
        return FolderDetector(self.options.detector, device_of(self.options.device))

    def colours(self) -> ClipColours | None:
        """Those that --clip tells."""
        return ClipColours(ClipFolder(self.options.clip, device_of(self.options.device))) if self.options.clip else None

    def judge(self, suite: Suite) -> VisionModel:
        """The vision model at the address that was typed."""
        if not self.options.judge:
            raise ValueError(
                f"{suite.title} needs --judge: the address of a vision model that speaks OpenAI's protocol, such as "
                "http://127.0.0.1:8080/v1"
            )
        return VisionModel(ChatServer(address=self.options.judge, model=self.options.judge_model))
