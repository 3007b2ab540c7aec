"""What a LoRA's row shows of its file: trigger words and a small picture.

ComfyUI's own preview route knows neither `modelspec.thumbnail` nor a limit of size, and sends pictures as large as
they are.
"""

from base64 import b64encode
from pathlib import Path
from typing import Any

from ....zimage_core.checkpoints import CheckpointError, header_of, preview, trigger_words
from . import files


def card(name: str) -> dict[str, Any]:
    """Trigger words, and a picture as a data URI or "". Raises ValueError for a name that is no LoRA of the user's."""
    path = Path(files.lora_path(_listed(name)))
    metadata = _metadata(path)
    picture = preview(path, metadata)
    uri = f"data:image/webp;base64,{b64encode(picture).decode()}" if picture else ""
    return {"words": list(trigger_words(metadata)), "preview": uri}


def _listed(name: str) -> str:
    """The name as ComfyUI lists it, whichever slash divides folders; only those are read."""
    listed = {each.replace("\\", "/"): each for each in files.lora_names()}
    if name.replace("\\", "/") not in listed:
        raise ValueError(f"there is no LoRA {name[:80]!r} in models/loras")
    return listed[name.replace("\\", "/")]


def _metadata(path: Path) -> dict[str, str]:
    """The texts of a file's header; none where it cannot be read."""
    try:
        return dict(header_of(path).metadata)
    except (CheckpointError, OSError):
        return {}
