"""Strips for Z-Image Region: two objects of two colours, and what each input does to them."""

from collections.abc import Sequence

from .prompt_graph import Link, PromptGraph
from .strips import Panel, Rows, StripBuilder

WHOLE = "a white background"
HEART = "a small red heart on the left on a white background"
STAR = "a small blue star on the right on a white background"
LEFT, RIGHT = {"x": 0.0, "width": 0.5}, {"x": 0.5, "width": 0.5}


def region(graph: PromptGraph, conditioning: Link, prompt: str, **changes: object) -> Link:
    """Z-Image Region with its defaults except for `changes`."""
    # fmt: off
    inputs = {
        "x": 0.0, "y": 0.0, "width": 0.5, "height": 1.0, "strength": 1.0, "global_weight": 0.3, "outside": 0.0,
        "start_percent": 0.0, "end_percent": 1.0, "box_number": 0, **changes,
    }
    # fmt: on
    return graph.add("ZImageRegion", conditioning=conditioning, region_prompt=graph.encode(prompt), **inputs)[0]


def picture(graph: PromptGraph, positive: Link) -> Link:
    """Nano's picture of a conditioning."""
    sampler = graph.sample(WHOLE)
    graph.prompt[sampler.name]["inputs"]["positive"] = positive
    return graph.decode(sampler[0])


def two(graph: PromptGraph, **changes: object) -> Link:
    """The heart on the left and the star on the right."""
    whole = graph.encode(WHOLE)
    return picture(graph, region(graph, region(graph, whole, HEART, **LEFT, **changes), STAR, **RIGHT, **changes))


def with_and_without(graph: PromptGraph) -> Rows:
    """Both in one sentence, in two regions, and each region alone."""
    whole = graph.encode(WHOLE)
    one = [region(graph, whole, prompt, **place) for prompt, place in ((HEART, LEFT), (STAR, RIGHT))]
    alone = [Panel(str(number), picture(graph, each)) for number, each in enumerate(one, 3)]
    return [[Panel("1", graph.picture(f"{HEART} and {STAR}")), Panel("2", two(graph)), *alone]]


def values(name: str, chosen: Sequence[float]) -> StripBuilder:
    """One input at several values, in both regions."""

    def draw(graph: PromptGraph) -> Rows:
        return [[Panel(f"{value:g}", two(graph, **{name: value})) for value in chosen]]

    return draw


STRIPS: dict[str, StripBuilder] = {
    "ZImageRegion/region_prompt": with_and_without,
    "ZImageRegion/end_percent": values("end_percent", (0.1, 0.3, 0.5, 0.7, 1.0)),
}
