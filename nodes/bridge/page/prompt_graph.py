"""A prompt in API form, read without running it: where an input comes from, and what stands in it."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

Node = Mapping[str, Any]
Prompt = Mapping[str, Node]


class Link(NamedTuple):
    """An input that another node feeds."""

    node_id: str
    slot: int


def inputs_of(node: Node) -> Mapping[str, Any]:
    """A node's widget values and links by name."""
    return node.get("inputs") or {}


def link_in(value: Any) -> Link | None:
    """The link in an input, if it is one: ComfyUI writes [node id, output]."""
    is_link = isinstance(value, list) and len(value) == 2 and isinstance(value[0], str) and isinstance(value[1], int)
    return Link(*value) if is_link else None


def value_in(prompt: Prompt, value: Any) -> Any:
    """A widget's value, also when a node that holds nothing else gives it; None if it is only known by running."""
    for _ in prompt:  # a chain is no longer than the prompt, so a circle ends too
        link = link_in(value)
        if link is None:
            return value
        held = list(inputs_of(prompt.get(link.node_id, {})).values())
        if len(held) != 1:
            return None
        value = held[0]
    return None


def upstream(prompt: Prompt, node_id: str, name: str, *, only: str = "") -> Iterator[Node]:
    """The nodes an input depends on, nearest first, each once; through inputs whose names begin with `only`."""
    waiting, seen = [inputs_of(prompt[node_id]).get(name)], set[str]()
    while waiting:
        link = link_in(waiting.pop(0))
        if link is None or link.node_id in seen or link.node_id not in prompt:
            continue
        seen.add(link.node_id)
        node = prompt[link.node_id]
        yield node
        waiting += [value for name, value in inputs_of(node).items() if name.startswith(only)]
