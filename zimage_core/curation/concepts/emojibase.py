"""Labels of emojis in English and Chinese, from the folder of the npm package emojibase-data.

`en/data.json` and `zh/data.json` are lists of emojis, joined by their hexcode; `messages.json` beside them names the
groups and subgroups.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

ENGLISH, CHINESE = "en", "zh"


class Group(NamedTuple):
    """A subgroup of emojis, such as animal-mammal."""

    key: str
    english: str
    chinese: str


class Emoji(NamedTuple):
    """An emoji; the Chinese label is empty where there is none."""

    hexcode: str
    english: str
    chinese: str
    tags: tuple[str, ...]  # English words that go with it
    group: Group
    subgroup: Group


def read_emojibase(folder: Path) -> list[Emoji]:
    """Those with an English label that stand in a group, in their order."""
    chinese = {each["hexcode"]: each["label"] for each in read_data(folder, CHINESE)}
    groups = groups_of(folder, "groups")
    subgroups = groups_of(folder, "subgroups")
    nothing = Group("", "", "")
    return [
        Emoji(
            each["hexcode"],
            each["label"],
            chinese.get(each["hexcode"], ""),
            tuple(each.get("tags") or ()),
            groups.get(each["group"], nothing),
            subgroups.get(each.get("subgroup", -1), nothing),
        )
        for each in read_data(folder, ENGLISH)
        if each.get("group") is not None
    ]


def read_data(folder: Path, language: str) -> list[dict[str, Any]]:
    """One language's emojis."""
    file = folder / language / "data.json"
    found = parsed(file)
    texts = ("hexcode", "label")
    if not isinstance(found, list) or not all(
        isinstance(each, dict) and all(isinstance(each.get(key), str) for key in texts) for each in found
    ):
        raise ValueError(f"{file} is no list of emojis with hexcode and label: give the folder of emojibase-data")
    return found


def groups_of(folder: Path, which: str) -> Mapping[int, Group]:
    """Groups or subgroups by their number."""
    english, chinese = (messages(folder, language, which) for language in (ENGLISH, CHINESE))
    return {number: Group(key, name, chinese.get(number, ("", ""))[1]) for number, (key, name) in english.items()}


def messages(folder: Path, language: str, which: str) -> Mapping[int, tuple[str, str]]:
    """Key and name by number."""
    file = folder / language / "messages.json"
    try:
        return {each["order"]: (each["key"], each["message"]) for each in parsed(file)[which]}
    except (TypeError, KeyError) as error:
        raise ValueError(f"{file} does not name the {which} of emojis: give the folder of emojibase-data") from error


def parsed(file: Path) -> Any:
    """JSON in a file."""
    if not file.is_file():
        raise ValueError(f"there is no {file}: give the folder of the npm package emojibase-data, with en and zh")
    try:
        return json.loads(file.read_bytes())
    except ValueError as error:
        raise ValueError(f"{file} is not JSON ({error}): unpack emojibase-data again") from error
