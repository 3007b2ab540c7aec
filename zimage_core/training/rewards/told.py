"""Numbers that the drawings, ratings and losses of a step tell, for its record."""

import math
from collections import defaultdict
from collections.abc import Iterable


class Told:
    """Numbers of a step by name, as they come."""

    def __init__(self) -> None:
        self._numbers: defaultdict[str, list[float]] = defaultdict(list)

    def add(self, name: str, *numbers: float) -> None:
        """Those that are none are left out."""
        self._numbers[name] += [number for number in numbers if math.isfinite(number)]

    def mean(self, name: str) -> float | None:
        """None where there was nothing."""
        numbers = self._numbers.get(name)
        return math.fsum(numbers) / len(numbers) if numbers else None

    def means(self, names: Iterable[str]) -> dict[str, float]:
        """Of those that have any; they are forgotten."""
        found = {name: mean for name in names if (mean := self.mean(name)) is not None}
        self.clear()
        return found

    def clear(self) -> None:
        """For the next step."""
        self._numbers.clear()
