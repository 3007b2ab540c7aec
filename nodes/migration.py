"""Former node ids: replacement rules with which ComfyUI opens and runs graphs saved under an old id.

No node of this pack has been renamed yet, so the table is empty. A rename adds its rule here;
`tests/server/test_migration.py` has an example.

ComfyUI applies a rule only if no installed node has the old id. Every old input that a rule maps must be present in all
saved graphs: ComfyUI fails on a graph without it.
"""

from collections.abc import Sequence

from comfy_api.latest import ComfyAPI, io

RENAMED: Sequence["io.NodeReplace"] = ()


async def register(rules: Sequence["io.NodeReplace"] = RENAMED) -> None:
    """Register the rules with ComfyUI."""
    for rule in rules:
        await ComfyAPI().node_replacement.register(rule)
