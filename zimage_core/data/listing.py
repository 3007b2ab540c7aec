"""Files by what belongs together, sorted, and the examples made of them, in a database on disk.

A million names take no memory: SQLite keeps a database without a name in a temporary file, which goes with it.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

from .captions import captions_in
from .example import Example, ExamplesByPlace

CHECKED = 2000  # examples whose captions are read at once
CACHE = 4096  # KiB of the database that stay in memory

Caption = tuple[str, int | None]  # a file, and where in it the line stands, if it is a table


class Entry(NamedTuple):
    """One file of an example, or a line of a table about it."""

    stem: str  # what its example's files have in common
    role: str
    file: str  # as a path below the dataset's folder
    offset: int | None = None  # bytes


class Files(NamedTuple):
    """An example before its captions are read."""

    picture: str
    captions: Sequence[Caption]  # the first that says anything counts
    references: Sequence[str] = ()
    mask: str | None = None


class Listing:
    """Entries in any order, and groups of them in the order of their stems."""

    def __init__(self) -> None:
        import sqlite3  # some builds of Python lack it, and nodes that train nothing do without

        self.database = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        for line in (
            f"pragma cache_size = -{CACHE}",
            "pragma temp_store = file",
            "pragma journal_mode = off",
            "pragma synchronous = off",
            "create table entries (stem text, role text, file text, offset integer)",
            "create table examples (place integer primary key, files text)",
            "begin",
        ):
            self.database.execute(line)

    def add(self, entries: Iterable[Entry]) -> None:
        """Take entries in."""
        self.database.executemany("insert into entries values (?, ?, ?, ?)", entries)

    def groups(self) -> Iterator[tuple[str, list[Entry]]]:
        """Stems, each with all its entries."""
        rows = self.database.execute("select stem, role, file, offset from entries order by stem, role, file")
        for stem, entries in groupby((Entry(*row) for row in rows), key=lambda entry: entry.stem):
            yield stem, list(entries)

    def kept(self, files: Iterable[Files], folder: Path, caption: str) -> "ListedExamples":
        """Examples, which take the entries' place."""
        self.database.executemany("insert into examples values (?, ?)", enumerate(map(json.dumps, files)))
        self.database.execute("drop table entries")
        return ListedExamples(self, folder, caption)


class ListedExamples(ExamplesByPlace):
    """Examples whose captions are read when they are asked for. `caption` is that of those without one."""

    def __init__(self, listing: Listing, folder: Path, caption: str) -> None:
        self._database, self._folder, self._caption = listing.database, folder, caption
        self._length: int = self._database.execute("select count(*) from examples").fetchone()[0]

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[Example]:
        return map(self.at, range(self._length))

    def at(self, place: int) -> Example:
        [row] = self._database.execute("select files from examples where place = ?", (place,))
        return self._example(Files(*json.loads(row[0])))

    def check(self) -> None:
        """Read captions of the first, so that a fault is told before anything is encoded."""
        for index in range(min(CHECKED, self._length)):
            self[index]

    def _example(self, files: Files) -> Example:
        places = ((self._folder / file, offset) for file, offset in files.captions)
        captions = next(filter(None, (captions_in(*each) for each in places)), None)
        if captions is None and not self._caption:
            raise ValueError(
                f"{self._folder / files.captions[0][0]} says nothing of {files.picture}: write what the picture shows, "
                "or give one caption for all"
            )
        return Example(
            picture=self._folder / files.picture,
            captions=captions or (self._caption,),
            references=tuple(self._folder / file for file in files.references),
            mask=None if files.mask is None else self._folder / files.mask,
        )
