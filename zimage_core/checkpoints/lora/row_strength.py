"""What stands after the colon of a LoRA's line: its strength, the part of the sampling, and factors for blocks.

    0.8
    0.8 @ 0.2-1
    0.3>1 @ 0-0.5
    0.8 blocks 0-9=0.5 20=0 noise_refiner=0
    0.3>1 @ 0-0.5 blocks 10-19=1 rest=0

One strength, or two with > between them: from the first to the second in a straight line over the window. The window
after @ is the part of the sampling in which the LoRA acts, from 0, pure noise, to 1, the picture, as the start and end
percents of stock nodes count; a window ends before its second number, where another may begin. The factors after
`blocks` multiply the strength: in main layers, by number from 0 or as a range with both ends, in the refiners by name,
and in the `rest`, all that no other entry names (1 unless it is written). Of two that hold a block the later counts.
"""

import math
import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace

from ...adapters import Delta, Lora, Target

FORM = re.compile(r"(?P<first>[^@>]*?)(>(?P<last>[^@]*?))?(@(?P<window>.*?))?(\bblocks\b(?P<blocks>.*))?")
WINDOW = re.compile(r"\s*([\d.]+)\s*-\s*([\d.]+)\s*")
BLOCK = re.compile(r"(\d+(?:-\d+)?|noise_refiner|context_refiner|siglip_refiner|rest)=(.*)")
REST = "rest"


@dataclass(frozen=True)
class Strength:
    """How strongly a LoRA acts, when and where."""

    first: float
    last: float
    start: float = 0.0
    end: float = 1.0
    blocks: tuple[tuple[str, float], ...] = ()  # ("0-9", 0.5): a name or numbers, and a factor

    def at(self, progress: float) -> float:
        """The strength at a progress of the sampling from 0 to 1; 0 outside the window."""
        is_within = self.start <= progress and (progress < self.end or self.end == 1.0)
        if not self.acts or not is_within:
            return 0.0
        share = (progress - self.start) / (self.end - self.start)
        return self.first if self.is_level else self.first + share * (self.last - self.first)

    @property
    def is_level(self) -> bool:
        return self.first == self.last

    @property
    def is_constant(self) -> bool:
        """Whether it is the same at all steps."""
        return self.is_level and (self.start, self.end) == (0.0, 1.0)

    @property
    def acts(self) -> bool:
        return bool(self.first or self.last) and self.start < self.end

    @property
    def peak(self) -> float:
        """The strength of the greatest size."""
        return max(self.first, self.last, key=abs)

    def times(self, factor: float) -> "Strength":
        return replace(self, first=factor * self.first, last=factor * self.last)

    def factor_of(self, parameter: str) -> float:
        """What multiplies the strength in the block of a parameter ("layers.0.attention.qkv.weight")."""
        stack, number = _place(parameter)
        named = [factor for name, factor in self.blocks if _holds(name, stack, number)]
        rest = [factor for name, factor in self.blocks if name == REST]
        return (named or rest or [1.0])[-1]

    def without_block(self, parameters: Iterable[str]) -> list[str]:
        """The entries of `blocks` that name no block of the network that has these parameters."""
        places = {_place(parameter) for parameter in parameters}
        names = (name for name, _ in self.blocks if name != REST)
        return [name for name in names if not any(_holds(name, *place) for place in places)]

    def __str__(self) -> str:
        """As it is written."""
        level = f"{self.first:g}" if self.is_level else f"{self.first:g}>{self.last:g}"
        window = "" if (self.start, self.end) == (0.0, 1.0) else f" @ {self.start:g}-{self.end:g}"
        blocks = "".join(f" {name}={factor:g}" for name, factor in self.blocks)
        return level + window + (f" blocks{blocks}" if blocks else "")


def parse_strength(line: int, text: str) -> Strength:
    """What stands after a line's colon. Raises `ValueError` with one sentence."""
    match = FORM.fullmatch(text)
    if match is None:
        raise _not_a_number(line, text)
    first = _number(line, match["first"])
    last = first if match["last"] is None else _number(line, match["last"])
    start, end = (0.0, 1.0) if match["window"] is None else _window(line, match["window"])
    return Strength(first, last, start, end, _blocks(line, match["blocks"]))


def by_blocks(lora: Lora, strength: Strength) -> list[tuple[Lora, float]]:
    """A LoRA in parts of one factor each, without those whose factor is 0; itself where no blocks are named."""
    if not strength.blocks:
        return [(lora, 1.0)]
    parts: defaultdict[float, dict[Target, Delta]] = defaultdict(dict)
    for target, delta in lora.deltas.items():
        parts[strength.factor_of(target.parameter)][target] = delta
    return [(replace(lora, deltas=deltas), factor) for factor, deltas in parts.items() if factor]


def _place(parameter: str) -> tuple[str, str]:
    """The stack of a parameter and the number of its block there, as they are written ("layers", "0")."""
    stack, _, inside = parameter.partition(".")
    return stack, inside.partition(".")[0]


def _holds(name: str, stack: str, number: str) -> bool:
    """Whether an entry of `blocks` names a block: a refiner, or main layers by number."""
    if not name[0].isdigit():
        return name == stack
    first, _, last = name.partition("-")
    return stack == "layers" and number.isdigit() and int(first) <= int(number) <= int(last or first)


def _number(line: int, written: str) -> float:
    number = _float(written)
    if not math.isfinite(number):
        raise _not_a_number(line, written)
    return number


def _float(written: str) -> float:
    """A text's number; NaN if it is none."""
    try:
        return float(written)
    except ValueError:
        return math.nan


def _window(line: int, written: str) -> tuple[float, float]:
    match = WINDOW.fullmatch(written)
    start, end = (_float(match[1]), _float(match[2])) if match else (math.nan, math.nan)
    if not 0 <= start <= end <= 1:
        raise ValueError(
            f"Line {line}: after @ stands '{written.strip()}', not two numbers from 0 to 1, the smaller first. "
            "Write it as: style.safetensors : 0.8 @ 0.2-1"
        )
    return start, end


def _blocks(line: int, written: str | None) -> tuple[tuple[str, float], ...]:
    if written is None:
        return ()
    entries: list[tuple[str, float]] = []
    for entry in re.sub(r"\s*=\s*", "=", written).split() or [""]:
        match = BLOCK.fullmatch(entry)
        factor = _float(match[2]) if match else math.nan
        if match is None or not math.isfinite(factor):
            raise ValueError(
                f"Line {line}: after blocks stands '{entry}', not a block with a number. "
                "Write it as: style.safetensors : 0.8 blocks 0-9=0.5 noise_refiner=0 rest=1"
            )
        entries.append((match[1], factor))
    return tuple(entries)


def _not_a_number(line: int, written: str) -> ValueError:
    return ValueError(
        f"Line {line}: the strength is '{written.strip()}', not a number. Write it as: style.safetensors : 0.8"
    )
