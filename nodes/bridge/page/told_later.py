"""What the last node of an expanded node's graph tells, also in a run that takes the whole of it from the cache.

ComfyUI caches what a node tells beside its outputs. Of an expanded node that is what it told before its graph ran, and
in a cached run the nodes of that graph are not there to tell anything. So the expanded node tells an empty dictionary,
which its last node fills; the page shows what it finds there.
"""

from typing import Any

RESULT, LATER = "zimage_result", "zimage_later"  # as js/zimage/runs/results.mjs reads them

_promised: dict[str, dict[str, Any]] = {}  # the newest of each expanded node, by its id


def promise(node_id: str) -> dict[str, list[Any]]:
    """What an expanded node tells: an empty dictionary, which `result` fills."""
    told: dict[str, Any] = {}
    _promised[node_id] = told
    return {LATER: [told]}


def result(node_id: str, shown: dict[str, Any]) -> dict[str, Any]:
    """What the last node tells, put also into what the node in whose place it runs has told."""
    _promised.get(node_id, {}).update(shown)
    return {**shown, RESULT: [True]}
