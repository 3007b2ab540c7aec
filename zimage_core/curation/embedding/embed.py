"""The stage that turns a profile's pictures into vectors: one row for each picture that can be read."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np
import PIL
from PIL import Image

from ...scoring.features import PictureEncoder
from ...scoring.pixels_digest import pixels_digest
from ..engine import Record, Stage, arrow, file_digest, parquet, record_of_stage, unless_stopped
from ..engine.output import row_groups
from ..profiling.detail import copy_quality
from ..profiling.opened import Opened, open_file, read_bytes, same_picture
from .looks import LOOK, look_of

VERSION = 2
KEPT = ("path", "sha256", "perceptual_hash", "width", "height", "bytes")  # columns of the profile that go on
READ = (*KEPT, "problem", "megapixels", "encoding_quality", "detail")


@dataclass(frozen=True, kw_only=True)
class EncoderChoice:
    """Who makes the vectors; a partial or a function of a module, so that it can be sent to other processes."""

    name: str
    identity: str  # changes with the weights
    load: Callable[[], PictureEncoder]


def embed_stage(profile: Path, choice: EncoderChoice) -> Stage:
    """Vectors of the pictures of a profile, one row group of it a partition."""
    record = record_of_stage(profile, "profile", READ)
    with parquet().ParquetFile(profile) as opened:
        partitions: int = opened.num_row_groups
    return Stage(
        name="embed",
        version=VERSION,
        inputs=file_digest(profile),
        parameters={"encoder": choice.name, "identity": choice.identity, "Pillow": PIL.__version__},
        partitions=partitions,
        work=Embedder(profile, choice, most_pixels_of(record)),
        summarize=summary_of,
    )


def most_pixels_of(record: Record) -> int:
    """The limit with which a profile was made."""
    return int(record.parameters["most_pixels"])


@dataclass
class Embedder:
    """Makes the rows of a partition; the encoder is loaded with the first."""

    profile: Path
    choice: EncoderChoice
    most_pixels: int
    _encoder: PictureEncoder | None = field(default=None, repr=False)

    def __call__(self, partition: int) -> Any:
        """One picture is decoded at a time; what the encoder is given are its copies, at most `SIDE` pixels a side."""
        with parquet().ParquetFile(self.profile) as opened:
            listed: list[dict[str, Any]] = opened.read_row_group(partition, columns=list(READ)).to_pylist()
        rows, pictures = list[dict[str, Any]](), list[Image.Image]()
        for row in unless_stopped(listed):
            if not row["problem"]:
                picture = same_picture(row["path"], row["sha256"], self.most_pixels)
                rows.append(row_of(row, picture))
                pictures += [reduced(picture)] if picture else []
        seen = iter(np.asarray(self.encoder.pictures(pictures)) if pictures else ())
        vectors = [next(seen).astype(np.float32) if row["look"] else None for row in rows]
        return as_table(rows, vectors)

    @property
    def encoder(self) -> PictureEncoder:
        """Loaded once; two threads that come first at once load it twice, which is harmless."""
        if self._encoder is None:
            self._encoder = self.choice.load()
        return self._encoder


def picture_for(file: Path) -> Image.Image:
    """A picture of a file as an embedding's encoder is given it. Raises ValueError with one sentence."""
    content, problem = read_bytes(file)
    opened = open_file(file, content) if not problem else Opened(problem=problem)
    if opened.picture is None:
        raise ValueError(f"{file} cannot be read as a picture ({opened.problem}); choose another")
    return reduced(opened.picture)


SIDE = 512  # pixels: more than any of the encoders looks at


def reduced(picture: Image.Image) -> Image.Image:
    """A picture small enough that a partition of them fits into memory."""
    small = picture.copy()
    small.thumbnail((SIDE, SIDE), Image.Resampling.BICUBIC)
    return small


def row_of(row: Mapping[str, Any], picture: Image.Image | None) -> dict[str, Any]:
    """The columns beside the vector."""
    return {
        **{name: row[name] for name in KEPT},
        "quality": copy_quality(row["megapixels"], row["encoding_quality"], row["detail"]),
        "pixels": pixels_digest(picture) if picture else None,
        "look": look_of(picture).tobytes() if picture else None,
    }


def as_table(rows: list[dict[str, Any]], vectors: list[Any]) -> Any:
    """An Arrow table; vectors are lists of one length, a picture that has changed has none."""
    library = arrow()
    types = {
        **dict.fromkeys(("path", "sha256", "perceptual_hash", "pixels"), library.string()),
        **dict.fromkeys(("width", "height"), library.int32()),
        "bytes": library.int64(),
        "quality": library.float64(),
        "look": library.binary(LOOK * LOOK * 3),
    }
    columns = {name: library.array([row[name] for row in rows], kind) for name, kind in types.items()}
    columns["vector"] = library.array(vectors, library.list_(library.float32()))
    return library.table(columns)


def summary_of(files: list[Path]) -> Mapping[str, Any]:
    """How many pictures have a vector, of which length, and how many have changed since they were profiled."""
    counts, length = Counter[bool](), 0
    for file in files:
        for table in row_groups(file, ["vector"]):
            counts.update(cast(list[bool], table["vector"].is_valid().to_pylist()))
            lengths = table["vector"].drop_null().combine_chunks().value_lengths()
            length = max(length, *lengths.to_pylist()) if len(lengths) else length
    return {"pictures": counts[True], "changed": counts[False], "length": length}
