"""The stage that measures a folder: listing -> one row a picture, damaged ones with a reason."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import PIL

from ..engine import Stage, arrow, parquet, unless_stopped
from .columns import COLUMNS, schema
from .folder_walk import Found, list_folder
from .measured import row_of
from .opened import MOST_PIXELS
from .thresholds import proposals

VERSION = 3
ROWS = 64  # pictures in a partition


@dataclass(frozen=True, kw_only=True)
class ProfileParameters:
    """What a person chooses."""

    most_pixels: int = MOST_PIXELS  # of a picture that is decoded
    keep_dates: bool = False  # EXIF's, which tell when somebody was where


def profile_stage(folder: Path, listing: Path, parameters: ProfileParameters) -> Stage:
    """The profile of a folder's pictures; the list of them is written to `listing`, which the stage reads."""
    inputs = list_folder(folder, listing, ROWS)
    versions = {"folder": str(folder.absolute()), "Pillow": PIL.__version__, "numpy": np.__version__}
    with parquet().ParquetFile(listing) as opened:
        partitions: int = opened.num_row_groups
        pictures: int = opened.metadata.num_rows
    if not pictures:
        raise ValueError(f"{folder} holds no pictures, nor do folders in it: give one that does")
    return Stage(
        name="profile",
        version=VERSION,
        inputs=inputs,
        parameters={**asdict(parameters), **versions},
        partitions=partitions,
        work=Profiler(listing, parameters),
        summarize=summary_of,
    )


@dataclass(frozen=True)
class Profiler:
    """Measures the pictures of a partition, one in memory at a time."""

    listing: Path
    parameters: ProfileParameters

    def __call__(self, partition: int) -> Any:
        """Its rows."""
        with parquet().ParquetFile(self.listing) as opened:
            listed = opened.read_row_group(partition).to_pylist()
        options = self.parameters
        found = (Found(**each) for each in unless_stopped(listed))
        rows = [row_of(each, options.most_pixels, keep_dates=options.keep_dates) for each in found]
        columns = {each.name: [row.get(each.name) for row in rows] for each in COLUMNS}
        return arrow().table(columns, schema=schema())


def summary_of(files: list[Path]) -> Mapping[str, Any]:
    """Pictures, problems by kind, and the proposed thresholds, for the output's metadata."""
    problems, pictures = Counter[str](), 0
    for file in files:
        for problem in parquet().read_table(file, columns=["problem"])["problem"].to_pylist():
            pictures += 1
            if problem:
                problems[problem.partition(":")[0]] += 1
    return {
        "pictures": pictures,
        "problems": dict(sorted(problems.items())),
        "proposals": [asdict(each) for each in proposals(files)],
    }
