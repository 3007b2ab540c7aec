"""Strips for the nodes with a score: what it says of pictures, and what it picks."""

from .prompt_graph import PromptGraph
from .strips import Panel, Rows, StripBuilder

ASKED = {"score": "nano's scene", "texts": "", "reader": "automatic"}
STAR = "a small yellow star on stripes"
HEART = "a large red heart on white"
DRAWN = (  # each with one thing more that is not as the heart's prompt says
    "a large red heart in the middle on white",
    "a small red heart in the middle on white",
    "a small blue heart in the middle on white",
    "a small blue star in the middle on white",
    "a small blue star in the middle on black",
)


def scored(graph: PromptGraph) -> Rows:
    """Pictures of five prompts, scored by one."""
    row: list[Panel] = []
    for number, prompt in enumerate(DRAWN, 1):
        picture = graph.picture(prompt)
        value = graph.add("ZImageScore", images=picture, prompt=HEART, **ASKED)[0]
        row.append(Panel(str(number), picture, value))
    return [row]


def picked(graph: PromptGraph) -> Rows:
    """The best of more and more seeds, and its score."""
    row: list[Panel] = []
    for tries in (1, 2, 4, 8):
        picture = graph.decode(graph.turbo(STAR, steps=2)[0])
        best = graph.add("ZImagePickBest", images=picture, prompt=STAR, tries=tries, good_enough=1.0, **ASKED)
        row.append(Panel(str(tries), best[0], best[2]))
    return [row]


STRIPS: dict[str, StripBuilder] = {"ZImageScore/score": scored, "ZImagePickBest/tries": picked}
