"""What a model file says about itself: its tensors, its metadata and how long it should be."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from .errors import CheckpointError

HEADER_LIMIT = 100_000_000  # bytes; safetensors' own limit


@dataclass(frozen=True)
class TensorEntry:
    """One tensor of a file: how it is stored and between which bytes of the file."""

    dtype: str  # the file format's name for it, such as BF16 or Q4_K
    shape: tuple[int, ...]
    start: int = 0
    end: int = 0

    @property
    def size(self) -> int:
        """How many values it holds."""
        return math.prod(self.shape)


@dataclass(frozen=True)
class Header:
    """All tensors of one file, and how long the file should be."""

    file: str
    tensors: Mapping[str, TensorEntry]
    metadata: Mapping[str, str] = field(default_factory=dict[str, str])
    expected_bytes: int = 0  # by the header
    found_bytes: int = 0  # on disk

    def check_complete(self) -> None:
        """Refuse a file that is shorter than its own header says, which is what an interrupted download leaves."""
        found, expected = self.found_bytes, self.expected_bytes
        if found < expected:
            raise CheckpointError(
                f"{self.file} is incomplete: {found:,} of {expected:,} bytes are there; download it again"
            )
        if found > expected:
            raise CheckpointError(
                f"{self.file} is {found - expected:,} bytes longer than its header says; download it again"
            )
