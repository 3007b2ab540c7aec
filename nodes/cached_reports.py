"""What a node tells in the page comes again in a run that takes the node's result from the cache."""

from typing import Any

from .execute import Node


def with_cached_reports(node: Node) -> Node:
    """The same node, whose cached report ComfyUI 0.19 and newer send again; older ones do not look at the attribute.

    A schema cannot say so here, since that of older ones has no such field.
    """
    changed: Any = node
    changed.HAS_INTERMEDIATE_OUTPUT = True
    return node
