"""Where an evaluation on the canvas is kept: a folder for everything that decides its pictures, whatever the limit.

So the same graph goes on where it was interrupted, with more prompts too, and another one begins beside it.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

from ..loading.files import output_place
from .prompt_graph import Prompt, ancestors

DIGITS = 8
CONNECTED = ("model", "clip", "vae", "latent")


def folder_of(prefix: str, suite: str, settings: dict[str, Any], hidden: Any) -> Path:
    """The folder in ComfyUI's output folder; raises ValueError for a prefix that leads out of it."""
    place = output_place(prefix)
    told = json.dumps([settings, _connected(hidden)], sort_keys=True, default=str)
    return place.folder / place.name / f"{suite}-{hashlib.sha256(told.encode()).hexdigest()[:DIGITS]}"


def _connected(hidden: Any) -> list[Any]:
    """The graph behind the node's sockets; nothing inside a node that builds its own graph."""
    prompt: Prompt = (hidden.prompt if hidden else None) or {}
    node_id = str(hidden.unique_id) if hidden else ""
    if node_id not in prompt:
        return []
    links = {name: (prompt[node_id].get("inputs") or {}).get(name) for name in CONNECTED}
    before = sorted(ancestors(prompt, [node_id]) - {node_id})
    return [links, {each: [prompt[each]["class_type"], prompt[each].get("inputs")] for each in before}]
