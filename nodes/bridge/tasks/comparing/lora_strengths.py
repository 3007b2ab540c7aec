"""The strengths of a LoRA over the same prompts and seeds, strength 0 without it: the graph that draws them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .....zimage_core.grid import Numbers
from ...loading import files
from ..grid import LORA_STRENGTH, Sources
from .columns import Asked, Column, check_prompts, expanded, rows_of

SHEET = "ZImageLoraTestSheet"
N_OUTPUTS = 6  # of both nodes
AUTOMATIC = "automatic"  # likeness where references are connected, else change
STRONGEST = 100
NO_LORA = "No LoRA is chosen. Choose a file of models/loras in LoRA."
NO_STRENGTHS = "strengths: none above 0 is written. Write for example 0.5, 1, 1.5"
NO_VISION = (
    "Reference pictures are compared through a vision model. Connect Z-Image Load Vision or the stock Load CLIP Vision "
    "to clip_vision."
)


@dataclass(frozen=True, kw_only=True)
class Terms(Asked):
    """What the last node is asked."""

    lora: str
    burn_limit: float
    strengths: list[float]  # 0 first


def graph_of(
    node: str, sources: Sources, written: Mapping[str, Any], **others: Any
) -> tuple[list[Any], dict[str, Any]]:
    """Links to the outputs, and the nodes; `others` are links to references and clip_vision. Raises ValueError."""
    if written["lora"] == files.NO_LORA:
        raise ValueError(NO_LORA)
    if "references" in others and "clip_vision" not in others and written["score"] == AUTOMATIC:
        raise ValueError(NO_VISION)
    strengths = _strengths(written["strengths"])
    rows = rows_of(written["prompts"], written["seed"], written["seeds"], len(strengths))
    if written["score"] != AUTOMATIC:
        check_prompts(rows, written["score"], written["reader"])
    terms = {name: written[name] for name in ("lora", "score", "reader", "burn_limit")}
    columns = [
        Column(
            label=f"strength {strength:g}",
            sources=sources,
            settings={"lora": written["lora"] if strength else files.NO_LORA, LORA_STRENGTH: strength},
        )
        for strength in strengths
    ]
    asked = {**terms, "node": node, "strengths": strengths}
    first, nodes = expanded(SHEET, asked, columns, rows, written, **others)
    return [[first[0], slot] for slot in range(N_OUTPUTS)], nodes


def _strengths(text: str) -> list[float]:
    """0 and the strengths that are written, in rising order."""
    try:
        values = {float(value) for value in Numbers(low=0, high=STRONGEST, is_whole=False).parse(text)}
    except ValueError as error:
        raise ValueError(f"strengths: {error}") from error
    if not values - {0.0}:
        raise ValueError(NO_STRENGTHS)
    return sorted(values | {0.0})
