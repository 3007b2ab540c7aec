"""The strip for Z-Image Caption: nano's drawings, each drawn again from nothing but its caption."""

from .help_enhance import picture as drawn
from .prompt_graph import PromptGraph
from .strips import Panel, Rows, StripBuilder

PROMPTS = (
    "a small pink circle in the top right corner on stripes",
    "a large purple star at the bottom on a grey background",
    "a small yellow heart on the left in the sky",
    "a large green triangle in the middle on a chessboard",
)


def told(graph: PromptGraph) -> Rows:
    """Above a drawing, below what is drawn from its caption, by the exact captioner and by the one that learned it."""
    above: list[Panel] = []
    exact: list[Panel] = []
    learned: list[Panel] = []
    for number, prompt in enumerate(PROMPTS, 1):
        picture = drawn(graph, prompt)
        above.append(Panel(str(number), picture))
        for row, captioner in ((exact, "nano (built in)"), (learned, "nano, learned (built in)")):
            caption = graph.add(
                "ZImageCaption",
                images=picture,
                kind="medium",
                language="English",
                captioner=captioner,
                seed=0,
                known="",
            )[0]
            row.append(Panel("", drawn(graph, caption)))
    return [above, exact, learned]


STRIPS: dict[str, StripBuilder] = {"ZImageCaption/captioner": told}
