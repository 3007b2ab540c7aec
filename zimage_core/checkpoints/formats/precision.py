"""In which number formats a file keeps its weights, and how many numbers it holds, from names, types and shapes alone.

What only a marker's text tells, ConvRot's rotation for one, is known here when the header repeats it and not otherwise.
"""

import math
from collections import Counter
from collections.abc import Mapping

from .quantized import COMPANIONS, MARKER, OLD_MARKER, header_layers
from .safetensors_header import CheckpointError, Entry

WORDS = {
    **{"F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16"},
    **{"F8_E4M3": "float8_e4m3fn", "F8_E5M2": "float8_e5m2"},
}
NVFP4_VALUES = 2  # in a byte
MAIN = 0.005  # a format holding less of a file than this is not worth a word


def precision_of(entries: Mapping[str, Entry], metadata: Mapping[str, str]) -> tuple[str, int]:
    """The formats in words, the commonest first, and the number of parameters."""
    told = _told(metadata)
    sizes: Counter[str] = Counter()
    for key, entry in entries.items():
        name, _, leaf = key.rpartition(".")
        if leaf in COMPANIONS or leaf in (MARKER, OLD_MARKER) or key == OLD_MARKER:
            continue
        form = told.get(name) if leaf == "weight" else None
        form = form or (_packed_as(name, entry, entries) if leaf == "weight" else None)
        sizes[form or _plain(entry, metadata)] += entry.size * (NVFP4_VALUES if form == "nvfp4" else 1)
    total = sum(sizes.values())
    parts = [(form, size / total) for form, size in sizes.most_common() if size >= MAIN * total > 0]
    shares = [form if len(parts) == 1 else f"{form} ({share:.0%})" for form, share in parts]
    return ", ".join(shares), total


def _told(metadata: Mapping[str, str]) -> dict[str, str]:
    """What the header says about layers, where it can be read; a damaged one stops the loading, not the looking."""
    try:
        layers = header_layers(metadata, "", "")
    except CheckpointError:
        return {}
    return {name: _words(settings) for name, settings in layers.items()}


def _words(settings: Mapping[str, object]) -> str:
    name = settings.get("format")
    return f"{name if isinstance(name, str) else 'unknown'}{' with ConvRot' if settings.get('convrot') is True else ''}"


def _packed_as(name: str, weight: Entry, entries: Mapping[str, Entry]) -> str | None:
    """ComfyUI's format of a weight, by the type it is stored in and the companions beside it."""
    scale = entries.get(f"{name}.weight_scale") or entries.get(f"{name}.scale_weight")
    match weight.dtype:
        case "F8_E4M3" if scale and len(scale.shape) == 2 and math.prod(scale.shape) > 1:
            return "mxfp8"
        case "F8_E4M3" | "F8_E5M2" if scale:
            return f"{WORDS[weight.dtype]} with scales"
        case "I8" if scale:
            return "int8_tensorwise"
        case "U8" if f"{name}.weight_scale_2" in entries:
            return "nvfp4"
        case _:
            return None


def _plain(entry: Entry, metadata: Mapping[str, str]) -> str:
    word = WORDS.get(entry.dtype, entry.dtype)
    return f"GGUF {entry.dtype}" if metadata.get("format") == "gguf" and entry.dtype not in WORDS else word
