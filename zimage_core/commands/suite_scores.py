"""Who reads a suite's pictures, from what was typed."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass

from ..chat_server import ChatServer
from ..evaluation.case import Suite
from ..scoring.detection import FolderDetector
from ..scoring.features import (
    ClipColours,
    ClipFolder,
    DreamSimFolder,
    EfficientNetLite,
    PictureEncoder,
    ReferencesFolder,
)
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
        return ClipColours(self._clip()) if self.options.clip else None

    def encoder(self) -> PictureEncoder:
        """DreamSim of --dreamsim, else the model of --clip, else EfficientNet of its package."""
        device = device_of(self.options.device)
        if self.options.dreamsim:
            return DreamSimFolder(self.options.dreamsim, device)
        return self._clip() if self.options.clip else EfficientNetLite(device)

    def answers(self, suite: Suite) -> ClipFolder | Sequence[ReferencesFolder]:
        """Those of --references, else the model of --clip."""
        if self.options.references:
            return self.references(suite)
        if not self.options.clip:
            raise ValueError(
                f"{suite.title} needs --clip: a CLIP or SigLIP that compares pictures with answers, or --references"
            )
        return self._clip()

    def references(self, suite: Suite) -> Sequence[ReferencesFolder]:
        """Vision models with vectors of references."""
        if not self.options.references:
            raise ValueError(
                f"{suite.title} needs --references: folders of vision models, each with its references.safetensors"
            )
        return [ReferencesFolder(folder, device_of(self.options.device)) for folder in self.options.references]

    def _clip(self) -> ClipFolder:
        return ClipFolder(self.options.clip, device_of(self.options.device))

    def judge(self, suite: Suite) -> VisionModel:
        """The vision model at the address that was typed."""
        if not self.options.judge:
            raise ValueError(
                f"{suite.title} needs --judge: the address of a vision model that speaks OpenAI's protocol, such as "
                "http://127.0.0.1:8080/v1"
            )
        return VisionModel(ChatServer(address=self.options.judge, model=self.options.judge_model))
