"""What a person chose in ComfyUI's settings, read from the file in which ComfyUI's server keeps it."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import folder_paths

FILE = "comfy.settings.json"
MOST_BYTES = 4 << 20  # of the file; far above any real one


def settings_of(user: str) -> Mapping[str, Any]:
    """A user's settings by id, only those that were changed; none where the file cannot be read, as in ComfyUI."""
    folder = folder_paths.get_public_user_directory(user)
    if folder is None:
        return {}
    file = Path(folder) / FILE
    try:
        if file.stat().st_size > MOST_BYTES:
            return {}
        found: object = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return cast(dict[str, Any], found) if isinstance(found, dict) else {}
