"""Settings as an artist writes them, `steps = 4, CFG = 2`, in place of a node's own."""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from .....zimage_core.grid import Choices, Kind, Numbers
from .....zimage_core.grid.values import DIVIDER
from ...loading import files
from ..grid import LORA_STRENGTH
from ..grid_axes import WIDGETS, kind_of

LORA = "LoRA"
OF_PICTURES = ("seed", "seeds", "prompt", "prompts")  # the same for both
NAMES = (*(name for name in WIDGETS if name not in OF_PICTURES), LORA)
EQUALS = re.compile(r"[=:\uff1d\uff1a]")


class Settings(NamedTuple):
    """Values by widget, and the pieces of text that say them."""

    values: dict[str, Any]
    pieces: list[str]


def parsed(text: str, limits: Mapping[str, Any], chinese: Mapping[str, str]) -> Settings:
    """What is written; `limits` are the node's inputs by id, `chinese` the Chinese names. Raises ValueError."""
    known = {name.lower(): name for name in NAMES}
    known |= {WIDGETS[name]: name for name in NAMES if name in WIDGETS}
    known |= {word: name for name, word in chinese.items() if name in NAMES}
    shared = {*OF_PICTURES, *(word for name, word in chinese.items() if name in OF_PICTURES)}
    found: dict[str, Any] = {}
    pieces = [piece for each in DIVIDER.split(text) if (piece := each.strip())]
    for piece in pieces:
        written, *value = EQUALS.split(piece, maxsplit=1)
        if written.strip().lower() in shared:
            raise ValueError(
                f"settings of B: '{piece}' would hold for one column, but both share prompts and seeds. Take it out, "
                "or change it in the node."
            )
        name = known.get(written.strip().lower())
        if name is None or not value:
            raise ValueError(
                f"settings of B: '{piece}' is no setting. Write a name and a value, as steps = 4; the names are "
                f"{', '.join(NAMES)}."
            )
        found["lora" if name == LORA else WIDGETS[name]] = _value(name, value[0], limits)
    return Settings(found, pieces)


def _value(name: str, text: str, limits: Mapping[str, Any]) -> Any:
    kind = _kind(name, limits)
    try:
        values = kind.parse(text) if kind else []
    except ValueError as error:
        raise ValueError(f"settings of B, {name}: {error}") from error
    if len(values) != 1:
        raise ValueError(f"settings of B, {name}: '{text.strip()}' is not one value. Write one.")
    return values[0]


def _kind(name: str, limits: Mapping[str, Any]) -> Kind | None:
    if name == LORA:
        return Choices(options=files.lora_choices())
    if WIDGETS[name] == LORA_STRENGTH:
        return Numbers(low=-100, high=100, is_whole=False)
    return kind_of(name, limits)
