"""Draws what is missing, measures what is not measured yet, and yields how far it has come; nothing is kept in memory.

Stopping anywhere, by a signal as well, loses at most the cases in work. Pictures that are not there or cannot be read
are looked for again each time.
"""

import hashlib
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from PIL import Image

from ..atomic_file import write_text
from ..scoring.score import Measurement, OfWholePrompts, Score, title
from .case import Case, Suite
from .journal import Entry, Journal, Key, read_journal
from .pictures import Picture, files_of, find, open_picture, write_picture_file
from .run import Shard

Draw = Callable[[str, int], Image.Image]  # a prompt and a seed to a picture
Opened = tuple[Case, int, Picture]  # a case, the number of its picture, the picture

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
        seen = joined(opened) if isinstance(score, OfWholePrompts) else opened
        new = [each for each in seen if is_new(each[2], known.get((each[0].id, each[1], name)))]
        if isinstance(score, OfWholePrompts):
            cases = {case.id for case, _, _ in new}
            new = [each for each in seen if each[0].id in cases and each[2].image is not None]
        found = measured(score, new)
        for case, number, picture in seen:
            key = (case.id, number, name)
            before = known.get(key)
            if picture.image is None:
                entries.append(_entry(case, number, name, picture, Measurement.missing(picture.problem), before))
            elif key[:2] in found:
                entries.append(_entry(case, number, name, picture, found[key[:2]], before))
            elif before is not None:
                entries.append(before)
    return entries


def is_new(picture: Picture, before: Entry | None) -> bool:
    """Whether a picture that can be read has no number yet, or is another than it was."""
    if picture.image is None:
        return False
    return before is None or before.value is None or before.digest != picture.digest


def joined(opened: Sequence[Opened]) -> list[Opened]:
    """The same with a digest of all pictures of the prompt, as each one's number depends on the others."""
    digests: dict[str, list[str]] = {}
    for case, _, picture in opened:
        digests.setdefault(case.id, []).append(picture.digest)
    return [
        (case, number, replace(picture, digest=hashlib.sha256(" ".join(digests[case.id]).encode()).hexdigest()[:16]))
        for case, number, picture in opened
    ]


def measured(score: Score, new: Sequence[Opened]) -> dict[tuple[str, int], Measurement]:
    """What a score says of pictures that can be read, by case and number."""
    images = [picture.image for _, _, picture in new if picture.image is not None]
    found = score(images, [case.request for case, _, _ in new]) if new else []
    return {(case.id, number): finite(each) for (case, number, _), each in zip(new, found, strict=True)}


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
