"""What is merged: files with their weights, the base they were tuned from, and how.

A weight is written as the strength of a LoRA in a list is, with factors for groups of blocks (`row_strength.py`):

    tuned.safetensors:0.6
    tuned.safetensors:0.6 blocks 0-9=0.5 noise_refiner=0
"""

from dataclasses import dataclass
from pathlib import Path

from ..checkpoints import Strength
from ..checkpoints.lora.row_strength import parse_strength
from .method import Method


@dataclass(frozen=True)
class Source:
    """A fine-tune or a LoRA and its weight, the same at all steps; None where none was given."""

    file: Path
    weight: Strength | None = None

    def __post_init__(self) -> None:
        if self.weight is not None and not self.weight.is_constant:
            raise ValueError(
                f"{self.file.name} has the weight {self.weight}: merged weights are the same at all steps, so leave "
                "out what stands after > or @"
            )

    def weight_of(self, parameter: str) -> float:
        """The weight in the block of a parameter; 1 where none was given."""
        return 1.0 if self.weight is None else self.weight.first * self.weight.factor_of(parameter)


@dataclass(frozen=True, kw_only=True)
class Merge:
    """Sources over a base. Without a base fine-tunes are averaged: their weights sum to 1."""

    sources: tuple[Source, ...]
    base: Path | None = None
    method: Method = Method()


def parse_source(written: str) -> Source:
    """A file, or that, a colon and a weight. Raises ValueError with one sentence."""
    name, colon, weight = written.rpartition(":")
    if not colon or Path(written).exists() or "/" in weight or "\\" in weight:  # also C:\tuned.safetensors
        return Source(Path(written))
    try:
        return Source(Path(name), parse_strength(1, weight))
    except ValueError as error:
        raise ValueError(f"{Path(name).name}: {str(error).removeprefix('Line 1: ')}") from error
