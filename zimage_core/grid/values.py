"""What an artist writes along an axis: numbers and ranges of them, names, prompts, words to replace.

    4, 8, 12            three numbers
    1-4                 1, 2, 3, 4
    4-12:4              4, 8, 12; A1111's 4-12 (+4) means the same
    -1..1:0.5           as above, where a minus would be hard to read

Commas, semicolons, their Chinese forms and line ends divide numbers and short names; prompts are one a line. Ranges may
have a dash or a tilde, and the Chinese forms of colon and brackets. `parse` of each kind raises ValueError with what is
wrong and what to write instead.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from difflib import get_close_matches
from typing import TypeAlias

Value = int | float | str

MOST_VALUES = 256  # of one range
NOTHING = "none"  # stands in lists of files for no file: it can be chosen, but is near to no name
NEAREST, LIKENESS = 3, 0.3  # names offered in place of an unknown one, and their least likeness from 0 to 1

DIVIDER = re.compile(r"[,;\n\uff0c\uff1b\u3001]")
NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)"
TO, BY = r"(?:[-\u2013~\uff5e]|\.\.)", r"(?:[:\uff1a]|[(\uff08]\s*\+)"
RANGE = re.compile(rf"({NUMBER})\s*{TO}\s*({NUMBER})\s*(?:{BY}\s*({NUMBER})\s*[)\uff09]?)?")


@dataclass(frozen=True, kw_only=True)
class Numbers:
    """Numbers from `low` to `high`, both included."""

    low: float | int
    high: float | int
    is_whole: bool

    @property
    def example(self) -> str:
        """Values that could stand there."""
        return "4, 8, 12" if self.is_whole else "1, 2.5, 4"

    def parse(self, text: str) -> list[Value]:
        """The numbers in order; ranges include their end where a step falls on it."""
        return [value for word in _words(DIVIDER, text) for value in self._range(word)]

    def _range(self, word: str) -> Iterator[Value]:
        written = RANGE.fullmatch(word)
        if not written:
            yield self._number(word, word)
            return
        first, last = (Decimal(str(self._number(each, word))) for each in written.group(1, 2))
        step = abs(Decimal(written[3] or 1))
        if not step or (self.is_whole and step % 1):
            raise ValueError(f"the step of '{word}' is {written[3]}. Write a range as 4-12:4, which is 4, 8, 12.")
        count = int(abs(last - first) / step) + 1
        if count > MOST_VALUES:
            raise ValueError(f"'{word}' are {count} values, and the most is {MOST_VALUES}. Write a larger step.")
        direction = step if last >= first else -step
        yield from (self._number(str(first + index * direction), word) for index in range(count))

    def _number(self, text: str, word: str) -> Value:
        if re.fullmatch(NUMBER, text):
            number = Decimal(text)
            if Decimal(str(self.low)) <= number <= Decimal(str(self.high)) and not (self.is_whole and number % 1):
                return int(number) if self.is_whole else float(number)
        noun = "whole number" if self.is_whole else "number"
        raise ValueError(
            f"'{word}' is not a {noun} from {shown(self.low)} to {shown(self.high)}. Write numbers with commas between "
            "them, or a range as 4-12:4."
        )


@dataclass(frozen=True, kw_only=True)
class Choices:
    """Names out of a list, such as samplers or files."""

    options: Sequence[str]

    @property
    def example(self) -> str:
        """Values that could stand there."""
        return ", ".join(self.options[:2])

    def parse(self, text: str) -> list[Value]:
        """The names as the list has them; either slash divides folders."""
        known = {_with_slashes(name): name for name in self.options}
        return [self._named(name, known) for name in _words(DIVIDER, text)]

    def _named(self, name: str, known: dict[str, str]) -> str:
        if _with_slashes(name) in known:
            return known[_with_slashes(name)]
        offered = [each for each in self.options if each != NOTHING]
        if not offered:
            raise ValueError(f"there is no '{name}', nor any other file. Put it into its folder below models.")
        near = get_close_matches(name, offered, n=NEAREST, cutoff=LIKENESS) or offered[:NEAREST]
        raise ValueError(f"there is no '{name}'. The nearest names are {', '.join(near)}; write one of them.")


@dataclass(frozen=True)
class Lines:
    """One text a line, as prompts, which hold commas."""

    @property
    def example(self) -> str:
        """Values that could stand there."""
        return "a red circle (one prompt a line)"

    def parse(self, text: str) -> list[Value]:
        """The lines that are not empty."""
        return [*_words(re.compile("\n"), text)]


@dataclass(frozen=True)
class Replacements:
    """Words of the prompt, and what stands in their place, as A1111's "Prompt S/R": the first value is replaced."""

    @property
    def example(self) -> str:
        """Values that could stand there."""
        return "red, blue, green"

    def parse(self, text: str) -> list[Value]:
        """Divided by line ends where there are several lines, else by commas."""
        lines = [*_words(re.compile("\n"), text)]
        return [*(lines if len(lines) > 1 else _words(DIVIDER, text))]


Kind: TypeAlias = Numbers | Choices | Lines | Replacements  # how the values of an axis are written


def shown(value: Value) -> str:
    """A value as it is read: numbers without needless zeros."""
    return f"{value:.10g}" if isinstance(value, float) else str(value)


def _words(divider: re.Pattern[str], text: str) -> Iterator[str]:
    """What stands between dividers, without spaces around it; nothing for nothing."""
    return (word.strip() for word in divider.split(text) if word.strip())


def _with_slashes(name: str) -> str:
    return name.replace("\\", "/")
