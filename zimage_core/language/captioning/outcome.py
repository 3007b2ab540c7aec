"""What a job has done at its end: captions that are there, new ones, and what went wrong, equal faults once."""

from collections import defaultdict
from dataclasses import dataclass, field

from .job import Progress
from .records import Record

MOST_TOLD = 5  # different problems of a report


@dataclass
class Outcome:
    """Filled while a job runs."""

    records: list[Record] = field(default_factory=list[Record])
    new: int = 0  # captions that the model wrote now, without a problem

    def add(self, progress: Progress) -> None:
        """Count one more caption."""
        record = progress.record
        self.records.append(record)
        self.new += progress.is_new and record.by == "model" and not record.problem

    @property
    def failed(self) -> list[Record]:
        """Those with which something is wrong."""
        return [record for record in self.records if record.problem]

    @property
    def told(self) -> int:
        """How many captions are there."""
        return len(self.records) - len(self.failed)

    @property
    def problems(self) -> list[str]:
        """A line for each of the first different problems, and one that counts the pictures with others."""
        groups: defaultdict[str, list[str]] = defaultdict(list)
        for record in self.failed:
            groups[record.problem].append(record.picture)
        shown = list(groups.items())[:MOST_TOLD]
        lines = [
            f"Problem with {names[0]}: {problem}"
            if len(names) == 1
            else f"Problem with {names[0]} and {len(names) - 1} more: {problem}"
            for problem, names in shown
        ]
        rest = len(self.failed) - sum(len(names) for _, names in shown)
        return [*lines, f"and {rest} more with a problem"] if rest else lines

    def __str__(self) -> str:
        total, failed = len(self.records), len(self.failed)
        if failed:
            return f"{self.told} of {total} captions are there, {self.new} of them new; {failed} with a problem."
        return f"{self.told} of {total} captions are there, {self.new} of them new."
