r"""How a prompt writes its choices, read into parts: `{a|b}`, `{3::a|b}`, `{2$$a|b|c}`, `__name__`.

A backslash before one of `{ } | _ \` keeps that sign as it is. Braces without a bar stay as they are, so a prompt in
JSON is read as it stands.
"""

import re
from dataclasses import dataclass
from typing import TypeAlias

MOST_DEPTH = 40  # braces inside braces

WILDCARD_NAME = re.compile(r"[^\W_]+(?:[-_/][^\W_]+)*")  # no dots: a name cannot lead out of its folder
_WILDCARD = re.compile(f"__({WILDCARD_NAME.pattern})__")
_ESCAPE = re.compile(r"\\([{}|_\\])")
_COUNT = re.compile(r"(\d{1,3})\$\$(?:([^{}|$]*)\$\$)?")
_WEIGHT = re.compile(r"\s*(\d{1,6}(?:\.\d{1,6})?)::")
_PLAIN = re.compile(r"[^{}|_\\]+|.", re.DOTALL)


@dataclass(frozen=True)
class Wildcard:
    """A line of the file of this name."""

    name: str


@dataclass(frozen=True)
class Option:
    """One of the texts to choose from and how likely it is beside the others."""

    weight: float
    parts: "Parts"


@dataclass(frozen=True)
class Choice:
    """`count` different options, one after another."""

    options: tuple[Option, ...]
    count: int = 1
    separator: str = ", "


Part: TypeAlias = "str | Wildcard | Choice"
Parts: TypeAlias = tuple[Part, ...]


def parse(text: str) -> Parts:
    """The parts of a prompt; raises ValueError for a brace without its partner."""
    return _Reader(text).parts(0)


def weight_of(line: str) -> tuple[float, str]:
    """The weight that a wildcard file's line begins with, 1 if none, and the rest of the line."""
    found = _WEIGHT.match(line)
    return (float(found[1]), line[found.end() :]) if found else (1.0, line)


class _Reader:
    """Reads a text from left to right; `depth` is how many braces are open."""

    def __init__(self, text: str) -> None:
        self.text, self.at = text, 0

    def parts(self, depth: int) -> Parts:
        found: list[Part] = []
        while self.at < len(self.text) and not (depth and self.text[self.at] in "|}"):
            found += self.next(depth)
        return tuple(found)

    def next(self, depth: int) -> Parts:
        if escape := self.take(_ESCAPE):
            return (escape[1],)
        if wildcard := self.take(_WILDCARD):
            return (Wildcard(wildcard[1]),)
        if self.text[self.at] == "{":
            return self.braces(depth + 1)
        if self.text[self.at] == "}":
            raise ValueError(
                f"The brace }} at character {self.at + 1} of the prompt closes nothing: remove it, or write \\}} to "
                "keep it as it is."
            )
        plain = self.take(_PLAIN)
        return (plain[0],) if plain else ()

    def braces(self, depth: int) -> Parts:
        start = self.at
        if depth > MOST_DEPTH:
            raise ValueError(f"The prompt has more than {MOST_DEPTH} braces inside one another; write it flatter.")
        self.at += 1
        count = self.take(_COUNT)
        first = self.at
        options = [self.option(depth)]
        while self.text[self.at : self.at + 1] == "|":
            self.at += 1
            options.append(self.option(depth))
        if self.at == len(self.text):
            raise ValueError(
                f"The brace {{ at character {start + 1} of the prompt is not closed: close it with }}, or write \\{{ "
                "to keep it as it is."
            )
        self.at += 1
        if count is None and len(options) == 1:
            weight = _WEIGHT.match(self.text, first)
            return ("{", weight[0] if weight else "", *options[0].parts, "}")
        return (_choice(options, count),)

    def option(self, depth: int) -> Option:
        weight = self.take(_WEIGHT)
        return Option(float(weight[1]) if weight else 1.0, self.parts(depth))

    def take(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        found = pattern.match(self.text, self.at)
        if found:
            self.at = found.end()
        return found


def _choice(options: list[Option], count: re.Match[str] | None) -> Choice:
    if count is None:
        return Choice(tuple(options))
    wanted, possible = int(count[1]), sum(each.weight > 0 for each in options)
    if wanted > possible:
        raise ValueError(
            f"{{{count[0]}…}} asks for {wanted} different texts of {possible}: write more of them between bars, or a "
            "smaller number."
        )
    return Choice(tuple(options), wanted, ", " if count[2] is None else count[2])
