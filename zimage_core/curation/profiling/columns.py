"""The columns of a profile: type, where a number comes from, and which end of it may be a fault."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..engine import arrow

LOW, HIGH, BOTH = "low", "high", "both"
STATISTICS = "zimage_core.scoring.statistics 1"
INFORMATION = "zimage_core.curation.profiling.information 1"
TECHNICAL = "zimage_core.curation.profiling.technical 1"
DETAIL = "zimage_core.curation.profiling.detail 1"
OCTAVE = math.log(2)  # half the detail of others: less is a kind of picture
PILLOW, FILE = "Pillow", "file"


@dataclass(frozen=True)
class Column:
    """One column; `faulty` says at which end its values are looked at."""

    name: str
    type: str  # Arrow's name
    source: str  # who computed it, with a version
    meaning: str
    faulty: str = ""
    least_reach: float = 0.0  # from the quartile to a proposed limit, in logarithms or in the values themselves
    by_factors: bool = True  # whether values spread by factors, as most measures; cosines and probabilities do not


COLUMNS = (
    Column("path", "string", FILE, "where the file is"),
    Column("problem", "string", PILLOW, "why there are no numbers: kind, a colon, what was said; empty for none"),
    Column("sha256", "string", "SHA-256 of the file's bytes", "the same for the same file"),
    Column("perceptual_hash", "string", "pHash, 64 bits of an 8x8 DCT", "nearly the same for the same motif"),
    Column("bytes", "int64", FILE, "size of the file"),
    Column("format", "string", PILLOW, "by its content"),
    Column("mode", "string", PILLOW, "colours: RGB, CMYK, L, P, I;16"),
    Column("bits", "int32", PILLOW, "per channel in the file"),
    Column("frames", "int32", PILLOW, "of an animation, whose first is measured"),
    Column("orientation", "int32", "EXIF", "1 upright to 8; sizes and measures are of the upright picture"),
    Column("date", "string", "EXIF", "when it was taken; only kept where it was asked for"),
    Column("right_ending", "bool", PILLOW, "whether the name ends as the content's format does"),
    Column("width", "int32", PILLOW, "pixels, upright"),
    Column("height", "int32", PILLOW, "pixels, upright"),
    Column("megapixels", "float64", PILLOW, "width times height", LOW),
    Column("aspect", "float64", PILLOW, "width over height", BOTH),
    Column("encoding_quality", "float64", "quantization table", "1 without loss, a JPEG's libjpeg quality / 100", LOW),
    Column("compression_ratio", "float64", INFORMATION, "bytes of the pixels over bytes of the file", HIGH),
    Column("jpeg_bpp", "float64", INFORMATION, "bits per pixel as a JPEG of quality 75", LOW),
    Column("border_variance", "float64", INFORMATION, "variance of the outer 2 %", LOW),
    Column("entropy", "float64", INFORMATION, "bits of the luma's histogram", LOW),
    Column("sharpness", "float64", STATISTICS, "variance of the Laplacian", LOW),
    Column(
        "detail",
        "float64",
        DETAIL,
        "how much of the finest frequency edges reach: blurred or enlarged, less",
        LOW,
        OCTAVE,
    ),
    Column("noise", "float64", STATISTICS, "Immerkaer's estimate, in levels", HIGH),
    Column("banding", "float64", STATISTICS, "edges of bands per 100 pixels", HIGH),
    Column("seams", "float64", STATISTICS, "the strongest straight line across, over those around it", HIGH),
    Column("contrast", "float64", STATISTICS, "standard deviation of the luma over 255", LOW),
    Column("saturation", "float64", STATISTICS, "mean of HSV's", BOTH),
    Column("brightness", "float64", TECHNICAL, "mean of the luma over 255", BOTH),
    Column("dark_share", "float64", TECHNICAL, "pixels up to level 5", HIGH),
    Column("light_share", "float64", TECHNICAL, "pixels from level 250 on", HIGH),
    Column("blocking", "float64", TECHNICAL, "steps across JPEG's grid over the others, less 1", HIGH),
    Column("frame_share", "float64", TECHNICAL, "bars of one colour along the sides, as from a letterbox", HIGH),
)
MEASURED = tuple(each for each in COLUMNS if each.faulty)


def schema(learned: Sequence[Column] = ()) -> Any:
    """Arrow's, with source and meaning of each column in its metadata; learned ones follow."""
    library = arrow()
    return library.schema(
        [
            library.field(
                each.name, library.type_for_alias(each.type), metadata={"source": each.source, "meaning": each.meaning}
            )
            for each in (*COLUMNS, *learned)
        ]
    )


def columns_in(found: Any) -> list[Column]:
    """Those of a profile's Arrow schema, as far as it tells of them."""
    told = [(field, field.metadata or {}) for field in found]
    return [
        Column(field.name, str(field.type), about.get(b"source", b"").decode(), about.get(b"meaning", b"").decode())
        for field, about in told
    ]
