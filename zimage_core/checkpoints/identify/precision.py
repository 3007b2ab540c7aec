"""A file's number formats and number of parameters, from its tensors' names, types and shapes alone.

What only a marker tensor's text says (whether int8 weights are rotated, for one) is known where the header repeats it.
"""

import math
from collections import Counter
from collections.abc import Mapping

from ..formats.errors import CheckpointError
from ..formats.header import TensorEntry
from ..formats.quantized import COMPANIONS, MARKER, OLD_MARKER, header_layers

NAMES = {
    **{"F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16"},
    **{"F8_E4M3": "float8_e4m3fn", "F8_E5M2": "float8_e5m2"},
}
NVFP4_VALUES = 2  # per byte
MIN_SHARE = 0.005  # of a file's values; formats with less are not named


def precision_of(entries: Mapping[str, TensorEntry], metadata: Mapping[str, str]) -> tuple[str, int]:
    """The formats' names, the most common first, and the number of parameters."""
    declared = _declared_formats(metadata)
    sizes: Counter[str] = Counter()
    for key, entry in entries.items():
        name, _, leaf = key.rpartition(".")
        if leaf in COMPANIONS or leaf in (MARKER, OLD_MARKER) or key == OLD_MARKER:
            continue
        packed = (declared.get(name) or _packed_format(name, entry, entries)) if leaf == "weight" else None
        sizes[packed or _plain_format(entry, metadata)] += entry.size * (NVFP4_VALUES if packed == "nvfp4" else 1)
    total = sum(sizes.values())
    shares = [(name, size / total) for name, size in sizes.most_common() if size >= MIN_SHARE * total > 0]
    return ", ".join(name if len(shares) == 1 else f"{name} ({share:.0%})" for name, share in shares), total


def _declared_formats(metadata: Mapping[str, str]) -> dict[str, str]:
    """Formats by layer as the header declares them. A damaged declaration is an error in loading, not here."""
    try:
        layers = header_layers(metadata, "", "")
    except CheckpointError:
        return {}
    return {name: _format_name(settings) for name, settings in layers.items()}


def _format_name(settings: Mapping[str, object]) -> str:
    found = settings.get("format")
    name = found if isinstance(found, str) else "unknown"
    return f"{name} with ConvRot" if settings.get("convrot") is True else name


def _packed_format(name: str, weight: TensorEntry, entries: Mapping[str, TensorEntry]) -> str | None:
    """ComfyUI's name for a packed weight's format, from the type it is stored in and the scales beside it."""
    scale = entries.get(f"{name}.weight_scale") or entries.get(f"{name}.scale_weight")
    match weight.dtype:
        case "F8_E4M3" if scale and len(scale.shape) == 2 and math.prod(scale.shape) > 1:
            return "mxfp8"
        case "F8_E4M3" | "F8_E5M2" if scale:
            return f"{NAMES[weight.dtype]} with scales"
        case "I8" if scale:
            return "int8_tensorwise"
        case "U8" if f"{name}.weight_scale_2" in entries:
            return "nvfp4"
        case _:
            return None


def _plain_format(entry: TensorEntry, metadata: Mapping[str, str]) -> str:
    name = NAMES.get(entry.dtype, entry.dtype)
    return f"GGUF {entry.dtype}" if metadata.get("format") == "gguf" and entry.dtype not in NAMES else name
