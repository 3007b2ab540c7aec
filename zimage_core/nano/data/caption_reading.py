"""What a prompt says of a scene, in the words of nano's captions: the way back from `captions`."""

import re
from collections.abc import Iterator

from ...han import HAN
from .captions import CHINESE, ENGLISH, Words
from .scenes import ATTRIBUTES

POSITIONS = tuple(f"{row} {column}" for row in ATTRIBUTES["row"] for column in ATTRIBUTES["column"])
KINDS = {name: values for name, values in ATTRIBUTES.items() if name not in ("row", "column")} | {"position": POSITIONS}


def stated(prompt: str) -> dict[str, str]:
    """Values by attribute, of those that the prompt names; empty where it names no shape nano knows.

    Longer expressions are read first, so that a blue sky is no blue object. Raises ValueError for a prompt that names
    two values of one attribute, as one with two objects does.
    """
    left, found = prompt.lower(), dict[str, str]()
    for expression, kind, value in _expressions(CHINESE if HAN.search(prompt) else ENGLISH):
        edge = "" if HAN.search(expression) else r"\b"
        rest, times = re.subn(f"{edge}{re.escape(expression)}{edge}", "|", left)
        if not times:
            continue
        if found.get(kind, value) != value:
            raise ValueError(f"the prompt names {found[kind]} and {value}; nano's checker looks at one object")
        left, found[kind] = rest, value
    if "shape" not in found:
        return {}
    position = found.pop("position", None)
    return found | (dict(zip(("row", "column"), position.split(), strict=True)) if position else {})


def _expressions(words: Words) -> Iterator[tuple[str, str, str]]:
    """Expression, kind and value of everything a caption can say, the longest expressions first."""
    said = [(each, kind, value) for kind, values in KINDS.items() for value in values for each in words[value]]
    yield from sorted(said, key=lambda entry: len(entry[0]), reverse=True)
