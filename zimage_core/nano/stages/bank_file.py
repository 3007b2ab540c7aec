"""Tensors that a stage computes once and caches in a file."""

import logging
from collections.abc import Callable, Mapping
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from ...atomic_file import save_tensors

LOGGER = logging.getLogger("zimage")


def cached_tensors(file: Path, compute: Callable[[], Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """The tensors in `file`, computed and written if it is not there or damaged."""
    if file.exists():
        try:
            return load_file(file)
        except SafetensorError as error:
            LOGGER.warning("%s is damaged (%s), perhaps cut short; it is made anew", file, error)
    file.parent.mkdir(parents=True, exist_ok=True)
    save_tensors(file, compute())
    return load_file(file)
