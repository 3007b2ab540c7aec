"""An arena: pictures of several contestants compared two at a time, blind, in a folder that remembers every vote.

The folder holds `rounds.jsonl` (what was drawn for one prompt by all contestants), `pictures/` (by content) and
`preferences.jsonl`, the votes as `data.preferences` stores them. Nothing is kept in memory, so an arena goes on where
it was after any restart, and may be judged from several pages at once.

Pairs come in a random order that only the arena's name and the pair decide, those of an earlier run before those of a
later one, so that new pictures never take the place of the pair somebody is looking at.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from itertools import combinations
from math import comb
from pathlib import Path
from threading import RLock
from typing import Any, Literal

import numpy as np

from ..atomic_file import write_text
from ..data.preferences import Preference, read_preferences, write_preferences
from .bradley_terry import rating_intervals, ratings

ROUNDS, VOTES, PICTURES = "rounds.jsonl", "preferences.jsonl", "pictures"
MOST_PAIRS = 2000  # of which each vote looks through all
MOST_CONTESTANTS = 26
Choice = Literal["left", "right", "draw"]

_changing = RLock()  # within this process; whole files are replaced, so that a reader never sees half a change


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One contestant's picture in a round."""

    contestant: str
    picture: str  # a path below the arena's folder
    seed: int | None = None


@dataclass(frozen=True, kw_only=True)
class Round:
    """What all contestants drew for one prompt."""

    run: int  # rounds of one queued run share it
    prompt: str
    entries: tuple[Entry, ...]

    @property
    def id(self) -> str:
        """The same for the same prompt, contestants and pictures."""
        return _digest(self.prompt, *(text for each in self.entries for text in (each.contestant, each.picture)))


@dataclass(frozen=True, kw_only=True)
class Pair:
    """Two pictures of a round, on the sides where they are shown."""

    id: str
    run: int
    prompt: str
    left: Entry
    right: Entry


@dataclass(frozen=True, kw_only=True)
class Standing:
    """A contestant's rating with its 95 % interval, and its comparisons."""

    contestant: str
    rating: float
    low: float
    high: float
    wins: int
    draws: int
    losses: int


class Arena:
    """The arena of a folder, which need not exist before something is added."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def votes_file(self) -> Path:
        """Where the votes are, as preference pairs."""
        return self.folder / VOTES

    def rounds(self) -> list[Round]:
        """All rounds in the order in which they came. Raises ValueError for a damaged line."""
        file = self.folder / ROUNDS
        lines = file.read_text("utf-8").split("\n") if file.exists() else []
        return [_round(file, number, line) for number, line in enumerate(lines, 1) if line.strip()]

    def votes(self) -> list[Preference]:
        """All votes, oldest first."""
        return read_preferences(self.votes_file) if self.votes_file.exists() else []

    def add(self, drawn: Sequence[tuple[str, Sequence[Entry]]]) -> int:
        """Add the rounds of one run, each a prompt and its entries; those that are there already are left out.

        Returns how many were added. Raises ValueError where there is no room for them.
        """
        with _changing:
            rounds = self.rounds()
            run = 1 + max((each.run for each in rounds), default=0)
            known = {each.id for each in rounds}
            new = {each.id: each for each in (Round(run=run, prompt=p, entries=tuple(e)) for p, e in drawn)}
            added = [each for id, each in new.items() if id not in known]
            self._check_room([*rounds, *added])
            if added:
                write_text(self.folder / ROUNDS, "".join(_line(each) for each in [*rounds, *added]))
            return len(added)

    def _check_room(self, rounds: Sequence[Round]) -> None:
        contestants = {each.contestant for round in rounds for each in round.entries}
        pairs = sum(comb(len(each.entries), 2) for each in rounds)
        if pairs > MOST_PAIRS or len(contestants) > MOST_CONTESTANTS:
            raise ValueError(
                f"{self.folder.name} is full: it takes {MOST_PAIRS} pairs, and {MOST_CONTESTANTS} contestants or "
                "pictures of one prompt. Write another name."
            )

    def pairs(self) -> list[Pair]:
        """All comparisons in their order; equal pictures are none, nor are those whose file is gone."""
        folder = self.folder / PICTURES
        there = {f"{PICTURES}/{file.name}" for file in folder.iterdir()} if folder.exists() else set[str]()
        pairs = [pair for round in self.rounds() for pair in self._pairs_of(round, there)]
        return sorted(pairs, key=lambda pair: (pair.run, _digest(self.folder.name, pair.id)))

    def _pairs_of(self, round: Round, there: set[str]) -> Iterator[Pair]:
        for one, other in combinations(round.entries, 2):
            if one.picture == other.picture or not {one.picture, other.picture} <= there:
                continue
            id = _digest(round.id, one.contestant, other.contestant)
            is_swapped = int(_digest(self.folder.name, "side", id), 16) % 2 == 1
            left, right = (other, one) if is_swapped else (one, other)
            yield Pair(id=id, run=round.run, prompt=round.prompt, left=left, right=right)

    def waiting(self) -> list[Pair]:
        """The comparisons that nobody has made yet, the next one first."""
        made = {each.pair for each in self.votes()}
        return [pair for pair in self.pairs() if pair.id not in made]

    def vote(self, pair_id: str, choice: Choice) -> Preference:
        """Store a choice. Raises ValueError for a pair that does not wait."""
        with _changing:
            pair = next((each for each in self.waiting() if each.id == pair_id), None)
            if pair is None:
                raise ValueError(f"no pair {pair_id} waits in the arena {self.folder.name}: it may be decided already")
            vote = _preference(pair, choice)
            write_preferences(self.votes_file, [*self.votes(), vote])
            return vote

    def undo(self) -> Preference | None:
        """Take the last vote back, which is returned; its pair waits again."""
        with _changing:
            votes = self.votes()
            if votes:
                write_preferences(self.votes_file, votes[:-1])
            return votes[-1] if votes else None

    def standings(self) -> list[Standing]:
        """The contestants of all votes, the strongest first."""
        return standings(self.votes())


def standings(votes: Iterable[Preference]) -> list[Standing]:
    """The contestants of these votes, the strongest first; none without votes."""
    votes = [each for each in votes if each.chosen_by != each.rejected_by]
    names = sorted({name for each in votes for name in (each.chosen_by, each.rejected_by)})
    if not names:
        return []
    place = {name: number for number, name in enumerate(names)}
    won, drawn = np.zeros((2, len(names), len(names)))
    for each in votes:
        one, other = place[each.chosen_by], place[each.rejected_by]
        if each.draw:
            drawn[[one, other], [other, one]] += 1
        else:
            won[one, other] += 1
    rows = zip(names, ratings(won + drawn / 2), rating_intervals(won, drawn), strict=True)
    found = [
        Standing(
            contestant=name,
            rating=float(rating),
            low=low,
            high=high,
            wins=int(won[place[name]].sum()),
            draws=int(drawn[place[name]].sum()),
            losses=int(won[:, place[name]].sum()),
        )
        for name, rating, (low, high) in rows
    ]
    return sorted(found, key=lambda each: -each.rating)


def _preference(pair: Pair, choice: Choice) -> Preference:
    chosen, rejected = (pair.right, pair.left) if choice == "right" else (pair.left, pair.right)
    return Preference(
        prompt=pair.prompt,
        chosen=chosen.picture,
        rejected=rejected.picture,
        draw=choice == "draw",
        chosen_by=chosen.contestant,
        rejected_by=rejected.contestant,
        chosen_seed=chosen.seed,
        rejected_seed=rejected.seed,
        side="right" if choice == "right" else "left",
        time=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        pair=pair.id,
    )


def _round(file: Path, number: int, line: str) -> Round:
    try:
        values: dict[str, Any] = json.loads(line)
        entries = tuple(Entry(**each) for each in values["entries"])
        return Round(run=values["run"], prompt=values["prompt"], entries=entries)
    except (ValueError, TypeError, KeyError) as error:
        raise ValueError(f"{file}, line {number} is no round of an arena ({error}): delete that line") from error


def _line(round: Round) -> str:
    return json.dumps(asdict(round), ensure_ascii=False) + "\n"


def _digest(*texts: str) -> str:
    return hashlib.sha256("\0".join(texts).encode("utf-8", "replace")).hexdigest()[:16]
