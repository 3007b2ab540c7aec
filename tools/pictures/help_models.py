"""Strips for the nodes that load and change a model: what each input does."""

from collections.abc import Sequence

from .help_lora import FILE
from .prompt_graph import NANO, Link, PromptGraph
from .strips import Difference, Panel, Rows, StripBuilder

HEART = "a large red heart in the middle on a chessboard"
STAR = "a small yellow star at the top right in the sky"
INT8 = "int8 (faster, not exact)"


def precisions(graph: PromptGraph) -> Rows:
    """Nano in three number formats, and below each how far it is from the first."""
    row: list[Panel] = []
    for name in ("float32", "bfloat16", INT8):
        model = graph.add("ZImageModelLoader", model_name=NANO, precision=name)[0]
        row.append(Panel(name.split()[0], graph.picture(HEART, model=model)))
    return [row, [Difference(0, column, 32) for column in range(3)]]


def optimized(graph: PromptGraph) -> Rows:
    """As loaded, in int8, and the difference."""
    inputs = {"attention": "automatic", "compiling": "off"}
    model = graph.add("ZImageOptimize", model=graph.model, precision=INT8, **inputs)[0]
    first = [
        Panel("as loaded", graph.picture(HEART)),
        Panel("int8", graph.picture(HEART, model=model)),
    ]
    second = [
        Panel("as loaded", graph.picture(STAR)),
        Panel("int8", graph.picture(STAR, model=model)),
    ]
    return [[*first, Difference(0, 1, 32)], [*second, Difference(2, 3, 32)]]


def with_lora(graph: PromptGraph, strength: float) -> Link:
    """Nano with the crescent LoRA."""
    rows: dict[str, str | float] = {"lora_1": FILE, "strength_1": strength}
    for number in (2, 3, 4):
        rows |= {f"lora_{number}": "none", f"strength_{number}": 1.0}
    return graph.add("ZImageLoraLoader", model=graph.model, **rows)[0]


def lora_strengths(graph: PromptGraph) -> Rows:
    """Two prompts under a LoRA that draws crescents."""
    circle = "a large red circle in the middle in the sky"
    heart = "a large yellow heart in the middle on a black background"
    models = {strength: with_lora(graph, strength) for strength in (0.0, 0.25, 0.5, 0.75, 1.0)}
    above = [Panel("", graph.picture(circle, model=model)) for model in models.values()]
    below = [Panel(f"{strength:g}", graph.picture(heart, model=model)) for strength, model in models.items()]
    return [above, below]


REFERENCE = "a large yellow circle on the left on a chessboard"


def styled(name: str, values: Sequence[float]) -> StripBuilder:
    """The reference, then one prompt without a ground at several values of an input."""

    def draw(graph: PromptGraph) -> Rows:
        image = graph.picture(REFERENCE)
        row = [Panel("", image)]
        for value in values:
            inputs = {"strength": 1.0, "start_percent": 0.0, "end_percent": 0.6, name: value}
            model = graph.add("ZImageStyleReference", model=graph.model, vae=graph.vae, image=image, **inputs)[0]
            node = graph.turbo("a large red star on the right", model=model)
            row.append(Panel(f"{value:g}", graph.decode(node[0])))
        return [row]

    return draw


STRIPS: dict[str, StripBuilder] = {
    "ZImageModelLoader/precision": precisions,
    "ZImageOptimize/precision": optimized,
    "ZImageStyleReference/strength": styled("strength", (0.0, 0.25, 1.0, 2.0)),
    "ZImageStyleReference/end_percent": styled("end_percent", (0.0, 0.3, 0.6, 1.0)),
    "ZImageLoraLoader/strength_1": lora_strengths,
}
