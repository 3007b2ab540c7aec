"""What a classifier gives a class: a score by that class's name, never a verdict."""

import re
from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from PIL import Image
from torch import Tensor

from ..._shapes import Float
from ..model_folder import ModelFolderError
from ..score import Measurement, Request


@runtime_checkable
class PictureClassifier(Protocol):
    """A model that knows some classes."""

    @property
    def name(self) -> str:
        """The model; stands beside every number."""
        ...

    @property
    def labels(self) -> Sequence[str]:
        """What its classes are called, in their order; empty where its files do not tell."""
        ...

    def __call__(self, pictures: Sequence[Image.Image]) -> Float[Tensor, "n k"]:
        """For each RGB picture the probability of each class; where there is one class, its number."""
        ...


class ClassScore:
    """The probability of one class: that called `name`, or, without labels, the second of two, or the only one."""

    higher_is_better = False

    def __init__(self, classifier: PictureClassifier, name: str) -> None:
        self.classifier, self.name, self.reader = classifier, name, classifier.name

    def __call__(self, pictures: Sequence[Image.Image], requests: Sequence[Request]) -> list[Measurement]:
        """One number a picture; the request is not read."""
        if not pictures:
            return []
        found = self.classifier(pictures)
        place = place_of(self.name, self.classifier.labels, found.shape[1], self.reader)
        return [Measurement(value=value) for value in found[:, place].tolist()]


def place_of(name: str, labels: Sequence[str], classes: int, reader: str) -> int:
    """Where the class of that name stands. Raises `ModelFolderError` where that cannot be told."""
    if classes == 1:
        return 0
    known = [plain(each) for each in labels]
    if plain(name) in known:
        return known.index(plain(name))
    if labels or classes != 2:
        told = f"its classes are {', '.join(labels)}" if labels else f"it has {classes} classes without names"
        raise ModelFolderError(f"{reader} has no class '{name}' ({told}); name the column after the class you want")
    return 1


def probabilities(logits: Float[Tensor, "n k"]) -> Float[Tensor, "n k"]:
    """By sigmoid for one class, by softmax for more."""
    return logits.sigmoid() if logits.shape[1] == 1 else logits.softmax(1)


def plain(label: str) -> str:
    """A label without what two people would write differently."""
    return re.sub(r"[\W_]+", "", label).lower()
