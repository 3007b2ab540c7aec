"""Names for a message: how many there are, and the first few."""

from collections.abc import Iterable
from dataclasses import dataclass, field

MAX_NAMED = 3


@dataclass
class Named:
    """Counts names and keeps the first."""

    count: int = 0
    names: list[str] = field(default_factory=list[str])

    @classmethod
    def of(cls, names: Iterable[str]) -> "Named":
        """All of these."""
        named = cls()
        for name in names:
            named.add(name)
        return named

    def add(self, name: str) -> None:
        """Take one in."""
        self.count += 1
        if self.count <= MAX_NAMED:
            self.names.append(name)

    def __str__(self) -> str:
        more = f" and {self.count - MAX_NAMED} more" if self.count > MAX_NAMED else ""
        return ", ".join(self.names) + more
