"""The libraries of the data engine, which nothing else needs; one sentence says how to install what is missing."""

import os
import sys
from typing import Any

# As the extra [data] of pyproject.toml, for those who run the pack from ComfyUI's folder.
PACKAGES = "daft pyarrow usearch graspologic-native"


class MissingLibraryError(ValueError):
    """A library of the data engine is not installed; the message names the command that installs it."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"the data engine needs {name}, which is not installed; install it with: "
            f'"{sys.executable}" -m pip install {PACKAGES}'
        )


def daft() -> Any:
    """The engine, which is told to send nothing anywhere: by itself it reports each import to its makers."""
    os.environ.setdefault("DO_NOT_TRACK", "true")
    os.environ.setdefault("DAFT_PROGRESS_BAR", "0")  # ours is in partitions, with the time left
    try:
        import daft
    except ImportError as error:
        raise MissingLibraryError("daft") from error
    return daft


def arrow() -> Any:
    """Tables in memory."""
    try:
        import pyarrow  # pyright: ignore[reportMissingTypeStubs]
    except ImportError as error:
        raise MissingLibraryError("pyarrow") from error
    return pyarrow


def parquet() -> Any:
    """Tables in files."""
    arrow()
    import pyarrow.parquet  # pyright: ignore[reportMissingTypeStubs]

    return pyarrow.parquet


def neighbour_index() -> Any:
    """USearch's index."""
    try:
        from usearch import index
    except ImportError as error:
        raise MissingLibraryError("usearch") from error
    return index


def leiden() -> Any:
    """Graspologic's communities, by Leiden's algorithm."""
    try:
        import graspologic_native  # pyright: ignore[reportMissingTypeStubs]
    except ImportError as error:
        raise MissingLibraryError("graspologic-native") from error
    return graspologic_native


def sparse() -> Any:
    """SciPy's sparse matrices, their graphs and solvers; graspologic-native needs it, too."""
    try:
        import scipy.sparse.csgraph  # pyright: ignore[reportMissingTypeStubs, reportUnusedImport]
        import scipy.sparse.linalg  # pyright: ignore[reportMissingTypeStubs, reportUnusedImport]
    except ImportError as error:
        raise MissingLibraryError("scipy") from error
    return scipy.sparse
