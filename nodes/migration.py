"""Ids of before: a graph saved under one of them opens, and runs, with the node of today.

No node of this pack has been renamed yet, and no pack that is gone is known to have had nodes that mean what ours mean,
so the table is empty. A rename adds its rule here; `tests/server/test_migration.py` has one for an example.

ComfyUI uses a rule only where the old id is nobody's. An input that a rule takes over must be one every saved graph
has: ComfyUI stops at a graph without it.
"""

from collections.abc import Sequence

from comfy_api.latest import ComfyAPI, io

RENAMED: Sequence["io.NodeReplace"] = ()


async def register(rules: Sequence["io.NodeReplace"] = RENAMED) -> None:
    """Tell ComfyUI the rules."""
    for rule in rules:
        await ComfyAPI().node_replacement.register(rule)
