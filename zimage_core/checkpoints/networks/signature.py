"""`FileSignature`: tensor names and shapes that identify a kind of model file."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ..formats.header import TensorEntry


@dataclass(frozen=True)
class FileSignature:
    """A kind of model file that is refused or that needs a name of its own, and what to tell the artist about it."""

    pieces: tuple[str, ...]  # of tensor names; all must occur. `^` stands for the start of a name
    what: str  # with its article
    folder: str = ""  # the models/ folder it belongs in, where ComfyUI has one
    advice: str = ""  # what to do, where choosing another file is not all there is to say
    width: tuple[str, int, int] | None = None  # the end of a tensor's name, one of its axes, and its size there

    def matches(self, names: str, entries: Mapping[str, TensorEntry]) -> bool:
        """Whether a file with these tensors is of this kind; `names` are the tensors' names, one a line."""
        return all(piece.replace("^", "\n") in names for piece in self.pieces) and self._has_width(entries)

    def _has_width(self, entries: Mapping[str, TensorEntry]) -> bool:
        if self.width is None:
            return True
        ending, axis, width = self.width
        shapes = [entry.shape for key, entry in entries.items() if key.endswith(ending)]
        return any(len(shape) > axis and shape[axis] == width for shape in shapes)


def first_match(entries: Mapping[str, TensorEntry], signatures: Iterable[FileSignature]) -> FileSignature | None:
    """The first signature that a file with these tensors has."""
    names = "\n" + "\n".join(entries) + "\n"
    return next((each for each in signatures if each.matches(names, entries)), None)
