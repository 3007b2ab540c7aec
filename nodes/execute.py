"""Puts a function around a node's `execute`, once, however often the node is handed over."""

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

from comfy_api.latest import io

Node = TypeVar("Node", bound=type[io.ComfyNode])
Execute = Callable[..., Any]
AROUND = "zimage_around"  # attribute of an `execute`: what was put around it


def with_around(node: Node, around: Callable[[Execute], Execute]) -> Node:
    """The same node, whose `execute` is `around(execute)`; `execute` takes the class and the inputs by name."""
    execute: Any = node.execute.__func__
    earlier: tuple[Any, ...] = getattr(execute, AROUND, ())
    if around in earlier:
        return node
    outer: Any = wraps(execute)(around(execute))
    setattr(outer, AROUND, (*earlier, around))
    node.execute = classmethod(outer)
    return node
