"""Benchmark workloads and parameter sweeps over them, in order of importance."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import Literal, get_args

from zimage_core.config import SEQUENCE_MULTIPLE

Part = Literal["block", "transformer", "text", "decode", "picture"]
PARTS: tuple[Part, ...] = get_args(Part)

CFG = 4.0  # guidance scale of guided workloads; its value does not affect the cost
TURBO_STEPS = 8

# The sweep axes that affect each part's cost. Other axes stay at their baseline value.
AXES: dict[Part, tuple[str, ...]] = {
    "block": ("size",),
    "transformer": ("size", "caption", "batch", "guided"),
    "text": ("caption", "batch"),
    "decode": ("size", "batch"),
    "picture": ("size", "guided"),
}


@dataclass(frozen=True, kw_only=True)
class Workload:
    """One benchmark case: a part of the model and its input size."""

    part: Part
    size: tuple[int, int]  # (width, height) in pixels
    caption: int  # tokens of each prompt, template included
    batch: int = 1
    guided: bool = False
    steps: int = TURBO_STEPS  # sampling steps of the part "picture"

    def __post_init__(self) -> None:
        if any(side % 16 or side <= 0 for side in self.size):
            raise ValueError(f"a picture of {self.size[0]}x{self.size[1]}: both sides must be multiples of 16 pixels")

    @property
    def latent_size(self) -> tuple[int, int]:
        """Latent (height, width)."""
        return self.size[1] // 8, self.size[0] // 8

    @property
    def image_tokens(self) -> int:
        """Image tokens of one picture, including the transformer's padding."""
        height, width = self.latent_size
        return padded(height // 2 * (width // 2))

    @property
    def caption_tokens(self) -> int:
        """Caption tokens of one prompt, including the transformer's padding."""
        return padded(self.caption)

    @property
    def nfe(self) -> int:
        """Number of function evaluations (transformer calls) per item."""
        steps = self.steps if self.part == "picture" else 1
        return steps * (2 if self.guided else 1)

    def describe(self) -> str:
        """Human-readable description with the axes that matter for this part."""
        labels = {
            "size": f"{self.size[0]}x{self.size[1]}",
            "caption": f"{self.caption} tokens",
            "batch": f"batch {self.batch}" if self.batch > 1 else "",
            "guided": "guided" if self.guided else "",
        }
        axes = AXES[self.part] if self.part in ("text", "decode") else ("size", "caption", "batch", "guided")
        return ", ".join(labels[axis] for axis in axes if labels[axis])


def padded(tokens: int) -> int:
    """Token count rounded up to the transformer's sequence multiple."""
    return tokens + -tokens % SEQUENCE_MULTIPLE


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """Parameter sweep: the values of every axis, the first of each being the baseline."""

    sizes: Sequence[tuple[int, int]]
    captions: Sequence[int] = (128, 32, 512)
    batches: Sequence[int] = (1, 4)
    guided: Sequence[bool] = (False, True)

    def one_at_a_time(self, parts: Sequence[Part]) -> Iterator[Workload]:
        """Baselines of all parts, then variations of one axis at a time: every second value, then every third, …"""
        baselines = [self._baseline(part) for part in parts]
        yield from baselines
        for baseline in baselines:
            variations = [[{axis: value} for value in self._values(axis)[1:]] for axis in AXES[baseline.part]]
            for changes in zip_longest(*variations):
                yield from (replace(baseline, **change) for change in changes if change is not None)

    def all_combinations(self, parts: Sequence[Part]) -> Iterator[Workload]:
        """Full factorial sweep over the axes of each part."""
        for part in parts:
            workloads = [self._baseline(part)]
            for axis in AXES[part]:
                workloads = [
                    replace(workload, **{axis: value}) for workload in workloads for value in self._values(axis)
                ]
            yield from workloads

    def _baseline(self, part: Part) -> Workload:
        return Workload(
            part=part, size=self.sizes[0], caption=self.captions[0], batch=self.batches[0], guided=self.guided[0]
        )

    def _values(self, axis: str) -> Sequence[object]:
        return {"size": self.sizes, "caption": self.captions, "batch": self.batches, "guided": self.guided}[axis]


def parse_size(text: str) -> tuple[int, int]:
    """Parse `832x1216` into (width, height)."""
    width, times, height = text.partition("x")
    if not times or not width.isdigit() or not height.isdigit():
        raise ValueError(f"{text!r} is no picture size; write width and height like 832x1216")
    return int(width), int(height)
