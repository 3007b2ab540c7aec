"""Errors of this pack's own classes leave a node as ValueError, with the same sentence and traceback.

ComfyUI shows a class by its module, which for a pack is the path of its folder on the server.
"""

from typing import Any

from .execute import Execute, Node, with_around


def with_plain_errors(node: Node) -> Node:
    """The same node, whose `execute` raises ValueError for every class derived from it."""
    return with_around(node, _plain)


def _plain(execute: Execute) -> Execute:
    def plain(cls: Any, *args: Any, **inputs: Any) -> Any:
        try:
            return execute(cls, *args, **inputs)
        except ValueError as error:  # the base of CheckpointError and of every other class of ours
            if type(error).__module__ == ValueError.__module__:
                raise
            raise ValueError(str(error)).with_traceback(error.__traceback__) from error.__cause__

    return plain
