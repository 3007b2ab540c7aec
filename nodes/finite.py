"""NaN and infinite numbers are refused on every node, before it does anything.

ComfyUI's limits of a widget let NaN pass, since no comparison with it is true, and check no number that another node
computes.
"""

import math
from typing import Any

from .execute import Execute, Node, with_around


def with_finite_numbers(node: Node) -> Node:
    """The same node, whose `execute` first refuses numbers that are none, by the name of their widget."""
    return with_around(node, _checked)


def _checked(execute: Execute) -> Execute:
    def checked(cls: Any, *args: Any, **inputs: Any) -> Any:
        for name, value in inputs.items():
            for number in value if isinstance(value, list) else (value,):  # a node that takes lists
                check_finite(name, number)
        return execute(cls, *args, **inputs)

    return checked


def check_finite(name: str, value: Any) -> None:
    """Raise ValueError for a number that is none, under the name of its widget."""
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{name} is {value}, not a finite number. Set one, or fix the node it comes from.")
