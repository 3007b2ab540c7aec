"""A proposal: pictures of a pool for the concepts that need them, in a file that a person reads, edits and accepts.

A JSON object a line; nothing is trained on that has not `"accept": true`, or was accepted as a whole.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ...atomic_file import write_atomically, write_text
from ...data import Example
from ...json_lines import read_lines, to_lines
from ..captions import captions_of
from .needs import Need

PROPOSAL = "proposal.jsonl"
LEAST_WEIGHT, MOST_WEIGHT = 0.5, 4.0


def propose(needs: Sequence[Need], found: Mapping[str, Sequence[Mapping[str, Any]]], most: int) -> list[dict[str, Any]]:
    """Lines for those concepts whose words found pictures, at most `most` each; a picture is proposed once.

    A weight is the need beside the mean of these needs, from 0.5 to 4.
    """
    mean = sum(each.need for each in needs) / max(len(needs), 1)
    lines, taken = list[dict[str, Any]](), set[str]()
    for need in needs:
        hits = (hit for word in need.concept.asked for hit in found.get(word, ()))
        best = sorted(hits, key=lambda hit: (-hit["score"], hit["path"]))
        paths = [path for path in dict.fromkeys(hit["path"] for hit in best) if path not in taken][:most]
        taken |= set(paths)
        weight = min(MOST_WEIGHT, max(LEAST_WEIGHT, need.need / mean if mean else 1.0))
        lines += [
            {
                "accept": False,
                "concept": need.concept.name,
                "score": round(need.score, 4),
                "rarity": round(need.rarity, 4),
                "file_name": path,
                "captions": list(said) or list(need.concept.prompts[:1]),
                "weight": round(weight, 3),
            }
            for path, said in zip(paths, captions_of(paths), strict=True)
        ]
    return lines


def write_proposal(folder: Path, lines: Iterable[Mapping[str, Any]]) -> None:
    """Write the file that a person reads."""
    write_text(folder / PROPOSAL, to_lines(lines))


def accepted(folder: Path, *, everything: bool) -> list[dict[str, Any]]:
    """The lines of a round's proposal that are accepted."""
    file = folder / PROPOSAL
    if not file.is_file():
        raise ValueError(f"there is no {file}: run the command without --accept first")
    return [line for _, line in read_lines(file) if everything or line.get("accept") is True]


def write_accepted(out: Path, learned: Sequence[Example], lines: Sequence[Mapping[str, Any]]) -> None:
    """Write a manifest of what was learned before, whose mean weight becomes 1, and of what is accepted."""
    if any(each.references or each.mask for each in learned):
        raise ValueError("a manifest holds no sources of edits and no masks: give --data without them")
    mean = sum(each.repeats for each in learned) / max(len(learned), 1)

    def told() -> Iterator[bytes]:
        for each in learned:
            weight = round(each.repeats / mean, 4)
            row = {"file_name": str(each.picture.absolute()), "captions": list(each.captions), "weight": weight}
            yield to_lines([row]).encode()
        yield to_lines({key: line[key] for key in ("file_name", "captions", "weight")} for line in lines).encode()

    write_atomically(out, lambda opened: opened.writelines(told()))
