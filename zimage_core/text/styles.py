"""Styles: sentences about how a picture is made, put around or after a prompt in the prompt's own language."""

import csv
import io
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, cast

from ..han import HAN

PROMPT = "{prompt}"  # where a style's text takes the prompt; without it the text follows the prompt
STYLES_FILE = Path(__file__).with_name("styles.json")
_ENDS = (".", "!", "?", ",", ";", ":", "\u3002", "\uff01", "\uff1f", "\uff0c", "\uff1b", "\uff1a")


@dataclass(frozen=True, kw_only=True)
class Style:
    """A name for the dropdown, and the text in both languages."""

    name: str
    english: str
    chinese: str


@cache
def built_in_styles() -> list[Style]:
    """The styles that come with the pack."""
    return styles_from_json(STYLES_FILE.read_text("utf-8"))


def styles_from_json(text: str) -> list[Style]:
    """Styles of a JSON list of {"name": …, "text": …}, each a text or {"en": …, "zh": …}; raises ValueError."""
    try:
        entries = json.loads(text)
    except (RecursionError, ValueError) as error:
        raise ValueError(f"it is not JSON ({error})") from error
    if not isinstance(entries, list):
        raise ValueError("it is not a list of styles")
    return [_from_entry(entry) for entry in cast(list[Any], entries)]


def _from_entry(entry: Any) -> Style:
    each = cast(Mapping[str, Any], entry) if isinstance(entry, dict) else {}
    name, text = _languages(each.get("name")), _languages(each.get("text"))
    if not name or not text:
        raise ValueError(f'{str(entry)[:80]} is no style: it needs a "name" and a "text"')
    return Style(name=" ".join(dict.fromkeys(name)), english=text[0], chinese=text[1])


def _languages(value: Any) -> tuple[str, str] | None:
    """English and Chinese of a text or of {"en": …, "zh": …}; None for anything else."""
    each = value if isinstance(value, dict) else {"en": value, "zh": value}
    english, chinese = each.get("en"), each.get("zh")
    return (english, chinese) if isinstance(english, str) and isinstance(chinese, str) and english else None


def styles_from_csv(text: str) -> list[Style]:
    """Styles of a table with the columns `name` and `prompt`, as other programs save them; raises ValueError."""
    try:
        rows = list(csv.DictReader(io.StringIO(text, newline="")))
    except csv.Error as error:
        raise ValueError(f"it is not a table ({error})") from error
    if rows and not {"name", "prompt"} <= rows[0].keys():
        raise ValueError("its first line does not name the columns name and prompt")
    named = ((row["name"], row["prompt"]) for row in rows)
    return [Style(name=name, english=prompt, chinese=prompt) for name, prompt in named if name and prompt]


def by_name(styles: Iterable[Style]) -> dict[str, Style]:
    """Styles by what the dropdown calls them; the first of several with one name."""
    found: dict[str, Style] = {}
    for style in styles:
        found.setdefault(style.name, style)
    return found


def apply_style(style: Style, prompt: str) -> str:
    """The prompt in a style: in Chinese if the prompt has a Chinese character, else in English."""
    is_chinese = bool(HAN.search(prompt))
    text = style.chinese if is_chinese else style.english
    if PROMPT in text:
        return text.replace(PROMPT, prompt)
    subject = prompt.rstrip()
    if not subject:
        return text
    stop, space = ("\u3002", "") if is_chinese else (".", " ")
    return f"{subject}{'' if subject.endswith(_ENDS) else stop}{space}{text}"
