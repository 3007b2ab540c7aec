"""What is where in a picture: objects from any detector, and GenEval's rules over them."""

from .coco import COCO
from .detector import ColourReader, Detection, Detector, DetectorError
from .folder_detector import FolderDetector
from .found_boxes import FoundBoxes
from .geneval import COLOURS, Verdict, judge, kept, relative_position
from .geneval_score import GenEvalScore
from .prompt_objects import PromptObjectsScore

__all__ = [
    "COCO",
    "COLOURS",
    "ColourReader",
    "Detection",
    "Detector",
    "DetectorError",
    "FolderDetector",
    "FoundBoxes",
    "GenEvalScore",
    "PromptObjectsScore",
    "Verdict",
    "judge",
    "kept",
    "relative_position",
]
