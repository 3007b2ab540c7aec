"""ComfyUI's prompt in API format, read without running it: links between nodes and values of widgets."""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

Node = Mapping[str, Any]
Prompt = Mapping[str, Node]
LONGEST_CHAIN = 64  # links of primitives and reroutes that a widget's value is followed through


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
    origin = origin_of(prompt, value)
    return None if isinstance(origin, Link) else origin


def origin_of(prompt: Prompt, value: Any) -> Any:
    """A widget's value as above, or else the `Link` to the first node that has not one input; None for a cycle."""
    for _ in range(LONGEST_CHAIN):  # so a cycle ends, too
        link = link_in(value)
        if link is None:
            return value
        values = list(inputs_of(prompt.get(link.node_id, {})).values())
        if len(values) != 1:
            return link
        value = values[0]
    return None


def upstream(
    prompt: Prompt, node_id: str, name: str, *, prefix: str = "", leaving_out: str | None = None
) -> Iterator[Node]:
    """The nodes an input depends on, nearest first, each once; only through inputs whose names start with `prefix`.

    The input called `leaving_out` is not followed in nodes further up.
    """
    queue, visited = deque([inputs_of(prompt[node_id]).get(name)]), set[str]()
    while queue:
        link = link_in(queue.popleft())
        if link is None or link.node_id in visited or link.node_id not in prompt:
            continue
        visited.add(link.node_id)
        node = prompt[link.node_id]
        yield node
        inputs = inputs_of(node).items()
        queue += [value for name, value in inputs if name.startswith(prefix) and name != leaving_out]


def ancestors(prompt: Prompt, node_ids: Iterable[str]) -> set[str]:
    """These nodes and all they depend on."""
    queue, visited = [node_id for node_id in node_ids if node_id in prompt], set[str]()
    while queue:
        node_id = queue.pop()
        if node_id not in visited:
            visited.add(node_id)
            links = map(link_in, inputs_of(prompt[node_id]).values())
            queue += [link.node_id for link in links if link is not None and link.node_id in prompt]
    return visited
