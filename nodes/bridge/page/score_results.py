"""What scores found, in the metadata of the pictures that are saved behind them.

A result is known only while a run runs. A node that comes from ComfyUI's cache does not run, so its result is kept by
all that the node depends on, and stands in the metadata from the start.
"""

import hashlib
import json
from collections.abc import Collection, Iterator
from typing import Any

from .prompt_graph import Prompt, ancestors

KEY = "zimage"  # the text chunk of the metadata
MOST_KEPT = 256

_results: dict[str, dict[str, Any]] = {}


def tell(hidden: Any, node_id: str, facts: dict[str, Any]) -> None:
    """Name what a node found in the pictures saved after it; `hidden` are a node's own hidden inputs."""
    prompt = hidden.prompt if hidden else None
    if not prompt or node_id not in prompt:  # inside an expanded node
        return
    entry = {"node": node_id, **facts}
    while len(_results) >= MOST_KEPT:
        del _results[next(iter(_results))]
    _results[_key(prompt, node_id)] = entry
    if hidden.extra_pnginfo is not None:
        others = [each for each in hidden.extra_pnginfo.get(KEY, []) if each.get("node") != node_id]
        hidden.extra_pnginfo[KEY] = [*others, entry]


def found(prompt: Prompt, node_id: str) -> dict[str, Any] | None:
    """What a node told in a run of the same graph, this one included."""
    return _results.get(_key(prompt, node_id)) if node_id in prompt else None


def known(prompt: Prompt, running: Collection[str], classes: Collection[str]) -> Iterator[dict[str, Any]]:
    """Results of the nodes of these classes that run, as far as they are known."""
    for node_id, node in prompt.items():
        if node_id in running and node["class_type"] in classes and (found := _results.get(_key(prompt, node_id))):
            yield found


def offset_before(hidden: Any) -> int:
    """How far from the graph's seeds the picture is that a node gets, where Z-Image Pick Best chose it; else 0."""
    before = ancestors(hidden.prompt or {}, [hidden.unique_id])
    entries = (hidden.extra_pnginfo or {}).get(KEY, [])
    return sum(each["offset"] for each in entries if each.get("node") in before and "offset" in each)


def _key(prompt: Prompt, node_id: str) -> str:
    """Of a node and all it depends on."""
    nodes = {each: prompt[each] for each in sorted(ancestors(prompt, [node_id]))}
    told = [node_id, {name: [node["class_type"], node.get("inputs")] for name, node in nodes.items()}]
    return hashlib.sha256(json.dumps(told, sort_keys=True, default=str).encode()).hexdigest()
