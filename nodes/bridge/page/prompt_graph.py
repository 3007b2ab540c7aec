"""ComfyUI's prompt in API format, read without running it: links between nodes and values of widgets."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

Node = Mapping[str, Any]
Prompt = Mapping[str, Node]


class Link(NamedTuple):
    """An input connected to an output of another node."""

    node_id: str
    slot: int


def inputs_of(node: Node) -> Mapping[str, Any]:
    """A node's widget values and links by name."""
    return node.get("inputs") or {}


def link_in(value: Any) -> Link | None:
    """The link that an input's value is, if it is one: [node id, output slot] in the API format."""
    is_link = isinstance(value, list) and len(value) == 2 and isinstance(value[0], str) and isinstance(value[1], int)
    return Link(*value) if is_link else None


def value_in(prompt: Prompt, value: Any) -> Any:
    """A widget's value, followed through nodes with a single input, as primitives; None if only running them tells."""
    for _ in prompt:  # a chain has no more links than the prompt has nodes, so a cycle ends too
        link = link_in(value)
        if link is None:
            return value
        values = list(inputs_of(prompt.get(link.node_id, {})).values())
        if len(values) != 1:
            return None
        value = values[0]
    return None


def upstream(prompt: Prompt, node_id: str, name: str, *, prefix: str = "") -> Iterator[Node]:
    """The nodes an input depends on, nearest first, each once; only through inputs whose names start with `prefix`."""
    queue, visited = [inputs_of(prompt[node_id]).get(name)], set[str]()
    while queue:
        link = link_in(queue.pop(0))
        if link is None or link.node_id in visited or link.node_id not in prompt:
            continue
        visited.add(link.node_id)
        node = prompt[link.node_id]
        yield node
        queue += [value for name, value in inputs_of(node).items() if name.startswith(prefix)]
