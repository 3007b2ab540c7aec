"""What a merged file says of how it was made, under ModelSpec's keys and one of ours, and reading it again."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from ..checkpoints import Strength
from ..checkpoints.lora.row_strength import parse_strength
from .method import Method
from .source import Merge, Source

KEY = "zimage.merge"


def merge_metadata(merge: Merge, title: str, *, architecture: str = "z-image") -> dict[str, str]:
    """Files by name alone: folders are nobody else's business."""
    made = {
        "base": merge.base.name if merge.base else None,
        "method": asdict(merge.method),
        "sources": [{"file": each.file.name, "weight": str(each.weight or "")} for each in merge.sources],
    }
    return {
        "modelspec.sai_model_spec": "1.0.0",
        "modelspec.architecture": architecture,
        "modelspec.title": title,
        KEY: json.dumps(made),
    }


def merge_of(metadata: Mapping[str, str]) -> Merge | None:
    """The merge that a file's metadata tells of; None if it tells of none, or not as this module writes it."""
    try:
        made = json.loads(metadata[KEY])
        sources = [Source(Path(each["file"]), _weight(each["weight"])) for each in made["sources"]]
        base = made["base"] and Path(made["base"])
        return Merge(sources=tuple(sources), base=base, method=Method(**made["method"]))
    except (KeyError, TypeError, ValueError):
        return None


def describe_merge(merge: Merge) -> str:
    """Lines of text: the base and the method, then what was merged in."""
    how = merge.method.describe()
    first = f"Merged over {merge.base}: {how}" if merge.base else f"Merged: {how}"
    return "\n".join([first, *(f"Merged in: {each.file}, weight {each.weight or 1}" for each in merge.sources)])


def _weight(written: str) -> Strength | None:
    return parse_strength(1, written) if written else None
