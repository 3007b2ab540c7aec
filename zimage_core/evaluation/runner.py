"""Draws what is missing, measures what is not measured yet, and yields how far it has come; nothing is kept in memory.

Stopping anywhere, by a signal as well, loses at most the cases in work. Pictures that are not there or cannot be read
are looked for again each time.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from PIL import Image

from ..atomic_file import write_text
from ..scoring.score import Measurement, Score, title
from .case import Case, Suite
from .journal import Entry, Journal, Key, read_journal
from .pictures import Picture, files_of, find, open_picture, write_picture_file
from .run import Shard

Draw = Callable[[str, int], Image.Image]  # a prompt and a seed to a picture

AT_ONCE = 8  # pictures that a score is given together, at the least one prompt's


@dataclass(frozen=True, kw_only=True)
class Progress:
    """One prompt is done."""

    done: int  # of this process's prompts
    total: int
    case: str
    drawn: int  # pictures of this prompt that were drawn now
    unread: int  # pictures of this prompt that have no number


def evaluate(
    cases: Sequence[Case],
    scores: Sequence[Score],
    *,
    pictures: Path,
    out: Path,
    draw: Draw | None = None,
    shard: Shard | None = None,
    at_once: int = AT_ONCE,
) -> Iterator[Progress]:
    """Measure the pictures of a suite in its folder, and draw those that are not there if there is something to draw.

    Measurements go to `out`. The order and the number of processes change nothing in what is measured.
    """
    shard = shard or Shard()
    known, journal = read_journal(out), Journal(out, shard.name)
    mine = shard.part_of(cases)
    done = 0
    for batch in batches(mine, at_once):
        drawn = [draw_missing(case, pictures, draw) if draw else 0 for case in batch]
        entries = measure(batch, scores, pictures, known)
        journal.append(entry for entry in entries if known.get(entry.key) != entry)
        for case, n in zip(batch, drawn, strict=True):
            done += 1
            unread = {entry.picture for entry in entries if entry.case == case.id and entry.value is None}
            yield Progress(done=done, total=len(mine), case=case.id, drawn=n, unread=len(unread))


def batches(cases: Sequence[Case], at_once: int) -> Iterator[list[Case]]:
    """Cases whose pictures are given to a score together."""
    batch: list[Case] = []
    for case in cases:
        batch.append(case)
        if sum(len(each.places) for each in batch) >= at_once:
            yield batch
            batch = []
    if batch:
        yield batch


def draw_missing(case: Case, folder: Path, draw: Draw) -> int:
    """Draw the files of a case that are not there, and tell how many pictures that took."""
    drawn = 0
    for file, numbers in files_of(case).items():
        if find(folder, case.places[numbers[0]]) is None:
            write_picture_file(folder / file, [draw(case.prompt, case.seeds[number]) for number in numbers])
            drawn += len(numbers)
    return drawn


def measure(batch: Sequence[Case], scores: Sequence[Score], folder: Path, known: Mapping[Key, Entry]) -> list[Entry]:
    """An entry for each picture and score, those that are known among them."""
    opened = [(case, number, open_picture(folder, place)) for case in batch for number, place in enumerate(case.places)]
    entries: list[Entry] = []
    for score in scores:
        name = title(score)
        waiting: list[tuple[Case, int, Picture]] = []
        for case, number, picture in opened:
            before = known.get((case.id, number, name))
            if before is not None and before.value is not None and before.digest == picture.digest:
                entries.append(before)
            elif picture.image is None:
                entries.append(_entry(case, number, name, picture, Measurement.missing(picture.problem), before))
            else:
                waiting.append((case, number, picture))
        images = [picture.image for _, _, picture in waiting if picture.image is not None]
        found = score(images, [case.request for case, _, _ in waiting]) if waiting else []
        for (case, number, picture), measurement in zip(waiting, found, strict=True):
            before = known.get((case.id, number, name))
            entries.append(_entry(case, number, name, picture, finite(measurement), before))
    return entries


def finite(measurement: Measurement) -> Measurement:
    """A number that is none is a problem."""
    if measurement.value is not None and not math.isfinite(measurement.value):
        return Measurement.missing(f"the score returned {measurement.value}, which is no number")
    return replace(measurement, parts={name: part for name, part in measurement.parts.items() if math.isfinite(part)})


def write_beside(suite: Suite, cases: Sequence[Case], pictures: Path) -> None:
    """The texts that the authors' programs look for beside the pictures."""
    for name, text in suite.beside(cases).items():
        file = pictures / name
        if not file.exists():
            file.parent.mkdir(parents=True, exist_ok=True)
            write_text(file, text + "\n")


def _entry(case: Case, number: int, score: str, picture: Picture, found: Measurement, before: Entry | None) -> Entry:
    """What was found now, which is the entry before where nothing has changed."""
    entry = Entry(
        case=case.id,
        picture=number,
        score=score,
        digest=picture.digest,
        value=None if found.value is None else float(found.value),
        parts={name: float(part) for name, part in found.parts.items()},
        problem=found.problem,
        notes=found.notes,
        turn=before.turn if before else 1,
    )
    return entry if before is None or entry == before else replace(entry, turn=before.turn + 1)
