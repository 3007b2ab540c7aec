"""The matrix: which work is measured, and in what order of importance."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import Literal, get_args

from zimage_core.config import SEQUENCE_MULTIPLE

Part = Literal["block", "transformer", "text", "decode", "picture"]
PARTS: tuple[Part, ...] = get_args(Part)

CFG = 4.0  # guidance of a guided cell; its value changes no amount of work
TURBO_STEPS = 8

# What a part's work depends on beside the machine. An axis a part lacks is left at the centre.
AXES: dict[Part, tuple[str, ...]] = {
    "block": ("size",),
    "transformer": ("size", "caption", "batch", "guided"),
    "text": ("caption", "batch"),
    "decode": ("size", "batch"),
    "picture": ("size", "guided"),
}


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One piece of work."""

    part: Part
    size: tuple[int, int]  # width and height in pixels
    caption: int  # tokens of each prompt, template included
    batch: int = 1
    guided: bool = False
    steps: int = TURBO_STEPS  # of a whole picture

    def __post_init__(self) -> None:
        if any(side % 16 or side <= 0 for side in self.size):
            raise ValueError(f"a picture of {self.size[0]}x{self.size[1]}: both sides must be multiples of 16 pixels")

    @property
    def cells(self) -> tuple[int, int]:
        """Latent cells along height and width."""
        return self.size[1] // 8, self.size[0] // 8

    @property
    def image_tokens(self) -> int:
        """Patches of one picture, padded as the transformer pads them."""
        height, width = self.cells
        return padded(height // 2 * (width // 2))

    @property
    def caption_tokens(self) -> int:
        """Tokens of one prompt as the transformer sees them, padded."""
        return padded(self.caption)

    @property
    def nfe(self) -> int:
        """Network evaluations of every item."""
        steps = self.steps if self.part == "picture" else 1
        return steps * (2 if self.guided else 1)

    def describe(self) -> str:
        """The cell in words, saying only what its part depends on."""
        words = {
            "size": f"{self.size[0]}x{self.size[1]}",
            "caption": f"{self.caption} tokens",
            "batch": f"batch {self.batch}" if self.batch > 1 else "",
            "guided": "guided" if self.guided else "",
        }
        axes = AXES[self.part] if self.part in ("text", "decode") else ("size", "caption", "batch", "guided")
        return ", ".join(words[axis] for axis in axes if words[axis])


def padded(tokens: int) -> int:
    """Tokens after the transformer's padding."""
    return tokens + -tokens % SEQUENCE_MULTIPLE


@dataclass(frozen=True, kw_only=True)
class Matrix:
    """The values of every axis; the first of each is the centre."""

    sizes: Sequence[tuple[int, int]]
    captions: Sequence[int] = (128, 32, 512)
    batches: Sequence[int] = (1, 4)
    guided: Sequence[bool] = (False, True)

    def star(self, parts: Sequence[Part]) -> Iterator[Cell]:
        """The centre of every part, then cells that leave it along one axis: one step along each, then the next."""
        centres = [self._centre(part) for part in parts]
        yield from centres
        for centre in centres:
            rays = [[{axis: value} for value in self._values(axis)[1:]] for axis in AXES[centre.part]]
            for changes in zip_longest(*rays):
                yield from (replace(centre, **change) for change in changes if change is not None)

    def full(self, parts: Sequence[Part]) -> Iterator[Cell]:
        """Every combination of what a part depends on."""
        for part in parts:
            cells = [self._centre(part)]
            for axis in AXES[part]:
                cells = [replace(cell, **{axis: value}) for cell in cells for value in self._values(axis)]
            yield from cells

    def _centre(self, part: Part) -> Cell:
        return Cell(
            part=part, size=self.sizes[0], caption=self.captions[0], batch=self.batches[0], guided=self.guided[0]
        )

    def _values(self, axis: str) -> Sequence[object]:
        return {"size": self.sizes, "caption": self.captions, "batch": self.batches, "guided": self.guided}[axis]


def parse_size(text: str) -> tuple[int, int]:
    """`832x1216` as width and height."""
    width, times, height = text.partition("x")
    if not times or not width.isdigit() or not height.isdigit():
        raise ValueError(f"{text!r} is no picture size; write width and height like 832x1216")
    return int(width), int(height)
