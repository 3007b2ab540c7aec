"""Classifiers of a user's choosing: what a picture is, such as NSFW or made by a model, and how many faces it shows."""

from .class_score import ClassScore, PictureClassifier
from .faces import FacesScore, YuNet
from .folder_classifier import FolderClassifier
from .linear_head import LinearHead
from .onnx_classifier import OnnxClassifier

__all__ = [
    "ClassScore",
    "FacesScore",
    "FolderClassifier",
    "LinearHead",
    "OnnxClassifier",
    "PictureClassifier",
    "YuNet",
]
