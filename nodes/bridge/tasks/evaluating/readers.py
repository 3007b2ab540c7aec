"""Who reads a suite's pictures, as a node's widgets choose them."""

from collections.abc import Sequence
from dataclasses import dataclass

from .....zimage_core.evaluation.case import Suite
from .....zimage_core.scoring.detection import FolderDetector
from .....zimage_core.scoring.features import ClipColours, ClipFolder, PictureEncoder, ReferencesFolder
from .....zimage_core.scoring.judging import VisionModel
from .....zimage_core.scoring.lettering import Reader
from ...loading import score_models
from ...loading.language_server import required_language_server
from .. import scores


@dataclass(frozen=True, kw_only=True)
class ChosenReaders:
    """Readers by their names in dropdowns."""

    reader_name: str
    detector_name: str
    clip_name: str

    def lettering(self, suite: Suite) -> Reader:
        """PP-OCRv6 or tesseract."""
        return scores.reader_of(self.reader_name)

    def detector(self, suite: Suite) -> FolderDetector:
        """A folder's."""
        if self.detector_name == score_models.NONE:
            raise ValueError(
                f"{suite.title} needs an object detector that knows COCO's names: put the folder of one, as "
                f"transformers writes it, into models/{score_models.DETECTORS} and choose it as detector."
            )
        return score_models.detector(self.detector_name)

    def colours(self) -> ClipColours | None:
        """Those that a CLIP model tells."""
        return None if self.clip_name == score_models.NONE else ClipColours(score_models.clip(self.clip_name))

    def judge(self, suite: Suite) -> VisionModel:
        """The vision model at the address in ComfyUI's settings; raises ValueError where there is none."""
        return VisionModel(required_language_server().server)

    def encoder(self) -> PictureEncoder:
        """The CLIP model that is chosen, else EfficientNet from its package."""
        return score_models.efficientnet() if self.clip_name == score_models.NONE else score_models.clip(self.clip_name)

    def answers(self, suite: Suite) -> ClipFolder:
        """The CLIP model that is chosen."""
        if self.clip_name == score_models.NONE:
            raise ValueError(
                f"{suite.title} needs a CLIP or SigLIP that compares pictures with answers: put the folder of one, as "
                f"transformers writes it, into models/{score_models.CLIPS} and choose it as CLIP model."
            )
        return score_models.clip(self.clip_name)

    def references(self, suite: Suite) -> Sequence[ReferencesFolder]:
        """All in models/style_references."""
        found = score_models.references()
        if not found:
            raise ValueError(
                f"{suite.title} needs vision models that know styles: put their folders, each with its "
                f"references.safetensors, into models/{score_models.STYLES}."
            )
        return found
