"""What a request states of nano's world stands in its prompt, too: read in both, and put back where it was lost."""

import re

from ..han import HAN
from ..language.answer_checks import unquoted
from .data.caption_reading import stated
from .data.captions import LANGUAGE_BY_CODE, plain_caption
from .data.scenes import ATTRIBUTES, Scene

DENIAL = re.compile(r"\b(?:not?|never|without)\b|n['\u2019]t\b|[\u4e0d\u6ca1\u65e0\u522b]", re.I)


class FactsOfScenes:
    """Part of a back end that writes prompts for nano: zimage_core.language.kept_facts.KeepsFacts.

    A request that names no shape in nano's words (a riddle), two values of one attribute (two objects), or anything
    that is not to be there, states nothing that could be checked.
    """

    def lost(self, request: str, prompt: str) -> list[str]:
        """The request's values that the prompt does not state, in words."""
        kept = _facts(prompt)
        missing = {name: value for name, value in _facts_of_request(request).items() if kept.get(name) != value}
        if "row" in missing or "column" in missing:
            missing = {name: value for name, value in missing.items() if name not in ("row", "column")}
            missing["position"] = _position(_facts_of_request(request))
        words = LANGUAGE_BY_CODE["zh" if HAN.search(request) else "en"].words
        return [words[value][0] for value in missing.values()]

    def with_facts(self, request: str, prompt: str, language: str) -> str:
        """The plain caption of what the prompt states, but the request's values where it states any."""
        facts = _facts(prompt) | _facts_of_request(request)
        return plain_caption(Scene(**facts), language) if facts.keys() == ATTRIBUTES.keys() else prompt


def _facts_of_request(request: str) -> dict[str, str]:
    words = unquoted(request)
    return {} if DENIAL.search(words) else _facts(words)


def _facts(text: str) -> dict[str, str]:
    """Values by attribute; nothing where a text contradicts itself."""
    try:
        return stated(text)
    except ValueError:
        return {}


def _position(facts: dict[str, str]) -> str:
    return f"{facts['row']} {facts['column']}"
