"""A picture of a queued graph drawn again with other seeds: its nodes that depend on a sampler's seed, once more.

Nodes before the sampler, such as loaders and encoded prompts, are those of the graph itself and run once.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from comfy_execution.graph_utils import GraphBuilder

from ..tasks.noise import seed_of
from .prompt_graph import Link, Node, Prompt, ancestors, inputs_of, link_in, value_in

SEEDS = ("seed", "noise_seed")
NOISE = "RandomNoise"  # ComfyUI's node with the seed of a custom sampler
PER_PICTURE = "seed_per_picture"

NO_SEED = (
    "Nothing with a seed draws the picture connected here, so it cannot be drawn again: connect the decoded picture of "
    "a sampler, and give that sampler's seed a number in the sampler or in a primitive."
)


@dataclass(frozen=True, kw_only=True)
class Redrawing:
    """What has to run again for another seed."""

    source: Link
    seeds: Mapping[str, int]  # by node
    changing: frozenset[str]  # nodes that depend on one of these
    first: str  # the node whose seed counts: that of the first sampler in the row
    is_per_picture: bool  # whether the pictures of a batch take the next seeds, too
    stride: int  # from one drawing's seeds to the next one's


def redrawing_of(prompt: Prompt, source: Link) -> Redrawing:
    """How to draw an output of a graph again; ValueError where no seed is known before the run."""
    names = ancestors(prompt, [source.node_id])
    found = {name: _seed(prompt, prompt[name]) for name in names}
    seeds = {name: seed for name, seed in found.items() if seed is not None}
    if not seeds:
        raise ValueError(NO_SEED)
    before = {name: ancestors(prompt, [name]) for name in names}
    is_per_picture = any(value_in(prompt, inputs_of(prompt[name]).get(PER_PICTURE)) is True for name in seeds)
    return Redrawing(
        source=source,
        seeds=seeds,
        changing=frozenset(name for name in names if before[name] & seeds.keys()),
        first=min(sorted(seeds), key=lambda name: len(before[name])),
        is_per_picture=is_per_picture,
        stride=_largest_batch(prompt, names) if is_per_picture else 1,
    )


def drawn_again(prompt: Prompt, redrawing: Redrawing, offset: int, graph: GraphBuilder) -> list[Any]:
    """The same output with every seed `offset` higher, of nodes that this adds to a graph; their progress and previews
    show on the nodes they repeat.
    """
    nodes = {
        name: graph.node(prompt[name]["class_type"], f"{prompt[name]['class_type']}-{number}-{offset}")
        for number, name in enumerate(sorted(redrawing.changing))
    }
    for name, node in nodes.items():
        node.set_override_display_id(name)
        node.inputs.update({key: _linked(value, nodes) for key, value in inputs_of(prompt[name]).items()})
        if name in redrawing.seeds:
            node.inputs[_widget(prompt[name])] = seed_of(redrawing.seeds[name], offset)
    return nodes[redrawing.source.node_id].out(redrawing.source.slot)


def _linked(value: Any, nodes: Mapping[str, Any]) -> Any:
    """An input's value, or its link to the node that takes the linked one's place."""
    link = link_in(value)
    return nodes[link.node_id].out(link.slot) if link and link.node_id in nodes else value


def _largest_batch(prompt: Prompt, names: Iterable[str]) -> int:
    """The largest batch size that a node names."""
    sizes = [value_in(prompt, inputs_of(prompt[name]).get("batch_size")) for name in names]
    return max([1, *(size for size in sizes if isinstance(size, int))])


def _widget(node: Node) -> str:
    return next(name for name in SEEDS if name in inputs_of(node))


def _seed(prompt: Prompt, node: Node) -> int | None:
    """The seed of a node that draws with a MODEL, or gives one its noise."""
    inputs = inputs_of(node)
    name = next((name for name in SEEDS if name in inputs), None)
    draws = link_in(inputs.get("model")) is not None or node["class_type"] == NOISE
    seed = value_in(prompt, inputs[name]) if name and draws else None
    return seed if isinstance(seed, int) and not isinstance(seed, bool) else None
