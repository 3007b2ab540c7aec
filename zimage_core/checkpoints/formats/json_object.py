"""JSON from files that nobody has checked."""

import json
from typing import Any

from .errors import CheckpointError, one_line


def parse_json(raw: bytes, complaint: str) -> dict[str, Any]:
    """A JSON object from a file nobody has checked; a `CheckpointError` says `complaint` and why."""
    try:
        # decoded here, because json.loads guesses at encodings and lets half surrogates pass
        content: object = json.loads(raw.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        why = "it is nested too deeply" if isinstance(error, RecursionError) else one_line(error)
        raise CheckpointError(f"{complaint} ({why}); download it again") from error
    if not isinstance(content, dict):
        raise CheckpointError(f"{complaint} (it is not a JSON object); download it again")
    return content


def is_size(value: object) -> bool:
    """Whether a JSON value is a whole number from 0; True and False are not, although Python counts with them."""
    return type(value) is int and value >= 0


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        raise ValueError("the same name stands twice in it")
    return content


def _no_number(constant: str) -> None:
    raise ValueError(f"{constant} is not a number")
