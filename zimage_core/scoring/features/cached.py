"""Features are computed once for each picture: a file of JSON lines that an encoder's vectors are kept in."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from ..._shapes import Float
from ...json_lines import append_lines, cut_to_whole_lines, read_lines
from ..pixels_digest import pixels_digest
from .encoder import PictureEncoder


class CachedEncoder:
    """An encoder that looks into a file first, and adds to it; the folder has to exist.

    The key is the picture's pixels; lines of other encoders in the file are left alone. A line that a killed process
    left half written is cut off.
    """

    def __init__(self, encoder: PictureEncoder, file: str | Path) -> None:
        self.encoder, self.file = encoder, Path(file)
        if self.file.exists():
            cut_to_whole_lines(self.file)
        self._known = dict(read(self.file, encoder.name))

    @property
    def name(self) -> str:
        """That of the encoder behind."""
        return self.encoder.name

    def pictures(self, pictures: Sequence[Image.Image]) -> Float[Tensor, "n c"]:
        """Only what is not known yet is given to the encoder behind, each picture once."""
        keys = [pixels_digest(picture) for picture in pictures]
        new = {key: picture for key, picture in zip(keys, pictures, strict=True) if key not in self._known}
        if new:
            found = dict(zip(new, self.encoder.pictures(list(new.values())), strict=True))
            append_lines(self.file, (self._line(key, vector) for key, vector in found.items()))
            self._known |= found
        return torch.stack([self._known[key] for key in keys])

    def _line(self, key: str, vector: Tensor) -> dict[str, object]:
        numbers = [float(f"{each:.9g}") for each in vector.tolist()]  # nine digits give every float32 back
        return {"encoder": self.name, "picture": key, "vector": numbers}


def read(file: Path, encoder: str) -> Iterator[tuple[str, Tensor]]:
    """An encoder's vectors in a file by the pictures' digests; raises ValueError for a damaged line."""
    if file.exists():
        for _, line in read_lines(file):
            if line.get("encoder") == encoder:
                yield line["picture"], torch.tensor(line["vector"], dtype=torch.float32)
