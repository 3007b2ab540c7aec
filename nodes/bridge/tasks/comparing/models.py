"""Two models or settings, A and B, over the same prompts and seeds: the graph that draws both."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .....zimage_core.checkpoints import DIT
from ...loading import files
from ..grid import LORA_STRENGTH, MODEL, Sources
from .columns import Asked, Column, check_prompts, expanded, rows_of
from .settings import Settings

SHEET = "ZImageCompareModelsSheet"
MODEL_B = "model B"  # in the label of column B
N_OUTPUTS = 7  # of both nodes
ALIKE = "A and B are the same. Connect a model to model_b, or write in settings of B what differs, such as: steps = 4"
NO_LORA = "settings of B has a LoRA strength without a LoRA. Write both: LoRA = file.safetensors, LoRA strength = 0.8"


@dataclass(frozen=True, kw_only=True)
class Terms(Asked):
    """What the last node is asked."""

    label: str  # of column B
    compared: str  # what A and B are, in words


def graph_of(
    node: str, sources: Sources, model_b: Any, written: Mapping[str, Any], own: Settings
) -> tuple[list[Any], dict[str, Any]]:
    """Links to the outputs, and the nodes; `own` are the settings that B has in place of A's. Raises ValueError."""
    if not own.values and model_b is None:
        raise ValueError(ALIKE)
    if LORA_STRENGTH in own.values and own.values.get("lora", files.NO_LORA) == files.NO_LORA:
        raise ValueError(NO_LORA)
    rows = rows_of(written["prompts"], written["seed"], written["seeds"], 2)
    check_prompts(rows, written["score"], written["reader"])
    label = f"B: {', '.join([*([MODEL_B] if model_b is not None else []), *own.pieces])}"
    asked = {"score": written["score"], "reader": written["reader"], "label": label}
    terms = {**asked, "node": node, "compared": _compared(model_b is not None, ", ".join(own.pieces))}
    drawn_b = sources if model_b is None else sources._replace(model=model_b)
    columns = [
        Column(label="A", sources=sources, settings={}),
        Column(label=label, sources=drawn_b, settings=own.values),
    ]
    plain = {"lora": files.NO_LORA, LORA_STRENGTH: 1.0}
    first, nodes = expanded(SHEET, terms, columns, rows, {**plain, **written})
    return [[first[0], slot] for slot in range(N_OUTPUTS)], nodes


def _compared(has_model: bool, names: str) -> str:
    """What A and B are."""
    if not has_model:
        return f"A is the connected model, B the same with {names}."
    if not names:
        return "A is the connected model, B is model B with the same settings."
    return f"A is the connected model, B is model B with {names}."


def files_state(settings: Settings) -> str:
    """Changes when a file does that B's settings name."""
    own = settings.values
    loras = [files.file_state(files.lora_path(own["lora"]))] if own.get("lora", files.NO_LORA) != files.NO_LORA else []
    return " ".join([*loras, *([files.fingerprint(DIT, own[MODEL])] if MODEL in own else [])])
