"""JSON from files that nobody has checked."""

import json
from typing import Any

from .errors import CheckpointError, one_line


def parse_json(raw: bytes, complaint: str) -> dict[str, Any]:
    """The JSON object in `raw`; anything else raises a `CheckpointError` that says `complaint` and why."""
    try:
        # decoded here, because json.loads guesses the encoding and accepts lone surrogates
        content: object = json.loads(
            raw.decode("utf-8"), object_pairs_hook=_unique_keys, parse_constant=_refuse_constant
        )
    except (ValueError, RecursionError) as error:
        why = "it is nested too deeply" if isinstance(error, RecursionError) else one_line(error)
        raise CheckpointError(f"{complaint} ({why}); download it again") from error
    if not isinstance(content, dict):
        raise CheckpointError(f"{complaint} (it is not a JSON object); download it again")
    return content


def is_size(value: object) -> bool:
    """Whether a JSON value is a non-negative integer; True and False, which Python takes for integers, are not."""
    return type(value) is int and value >= 0


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        raise ValueError("the same name stands twice in it")
    return content


def _refuse_constant(constant: str) -> None:
    raise ValueError(f"{constant} is not a number")
