"""A round of curation on the canvas: concepts drawn and scored, pictures proposed for the worst, a person decides."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from .....zimage_core.curation.captions import captions_of
from .....zimage_core.curation.in_memory import pictures_of
from .....zimage_core.curation.rounds import (
    PAGE,
    Concept,
    Drawn,
    Need,
    RoundIdentity,
    changes,
    coverage_of,
    draw_round,
    hits_of,
    needs_of,
    propose,
    read_drawn,
    write_accepted,
    write_proposal,
    write_proposal_page,
)
from .....zimage_core.data import Example, Named
from .....zimage_core.scoring.score import Score
from ..evaluating.painter import Painter, SuiteBar
from ..scores import title_of
from ..training import dataset as datasets
from .duplicates import KEEP, choices_in
from .earlier_rounds import drawn_before
from .picture_list import below_output
from .round_concepts import check_score, concepts_of

MANIFEST = "manifest.jsonl"
ANSWERS = 2  # times as many hits as pictures are proposed: some are proposed for another concept


@dataclass(frozen=True, kw_only=True)
class Round:
    """The node's widgets."""

    folder: str  # what is trained on now
    candidates: str
    concepts: str
    concepts_file: str
    most_concepts: int
    per_concept: int
    worst: int
    proposed: int  # pictures of each concept
    choices: str
    seed: int
    before: str


class Told(NamedTuple):
    """What the node puts out, and what the page shows on it."""

    manifest: str
    report: str
    shown: dict[str, Any]


def curate(round_: Round, score: Score, paint: Callable[[SuiteBar], Painter], out: Path) -> Told:
    """Draw and score what is missing, propose, and write what a person keeps. Raises ValueError with one sentence."""
    chosen = choices_in(round_.choices)
    learned, pool = learned_in(round_.folder), pool_in(round_.candidates)
    without = {str(each.picture.absolute()) for each in learned}
    if without.issuperset(pool):
        raise ValueError("All candidates are trained on already. Choose another folder of candidates.")
    said = [each.captions for each in learned] or list(pool.values())
    concepts = concepts_of(round_, [*said, *pool.values()])
    check_score(score, concepts)
    drawn, before = _drawn(round_, concepts, score, paint, out)
    coverage, count = coverage_of(concepts, said)
    needs = needs_of(concepts, drawn, coverage, count, higher_is_better=score.higher_is_better)
    if not needs:
        raise ValueError(f"No picture could be scored by {score.name}: {drawn[0].problem}.")
    worst = [each for each in needs if each.need > 0][: round_.worst]
    hits = hits_of(pool, [each.concept for each in worst], round_.proposed * ANSWERS, without)
    proposed = propose(worst, hits, round_.proposed)
    lines = [{**line, "accept": _verdict(line, chosen) == KEEP} for line in proposed]
    kept = [line for line in lines if line["accept"]]
    write_proposal_page(out, worst, drawn, lines)
    write_proposal(out, lines)
    write_accepted(out / MANIFEST, learned, kept)
    report = [
        f"Concepts drawn: {len(concepts)}, each {round_.per_concept} times, measured by {title_of(score)}.",
        *_proposal_told(worst, lines),
        *_unscored(needs, drawn),
        *_changes_told(before, drawn, higher_is_better=score.higher_is_better),
        f"Manifest: {below_output(out / MANIFEST)} (pictures: {len(learned) + len(kept)})",
        f"Page: {below_output(out / PAGE)}",
    ]
    table = [f"{each.score:.4g}\t{each.rarity:.3g}\t{each.need:.3g}\t{each.concept.name}" for each in needs]
    shown = _shown(needs, worst, lines) | {"brief": "\n".join(report)}
    return Told(str(out / MANIFEST), "\n".join([*report, "score\trarity\tneed\tconcept", *table]), shown)


def learned_in(name: str) -> Sequence[Example]:
    """What is trained on now; nothing where no folder is chosen."""
    if name == datasets.NO_FOLDER:
        return ()
    examples = datasets.read(name, "", datasets.ANY_SIDE).examples
    if any(each.references or each.mask for each in examples):
        raise ValueError(f"{name} has pairs for edits, or masks, which a manifest cannot hold. Choose another folder.")
    return examples


def pool_in(name: str) -> Mapping[str, Sequence[str]]:
    """The captions of the candidates, by their paths."""
    if name == datasets.NO_FOLDER:
        raise ValueError(
            "No folder of candidates is chosen. Put pictures with captions into ComfyUI's input folder, press R, and "
            "pick them."
        )
    paths = [each.path for each in pictures_of(datasets.folder_of(name, datasets.BUILT_IN)) if not each.problem]
    pool = dict(zip(paths, captions_of(paths), strict=True))
    if not any(pool.values()):
        raise ValueError(
            f"None of the {len(pool)} candidates in {name} has a caption, by which pictures are found. Caption them "
            "first, with Z-Image Caption Folder."
        )
    return pool


def _drawn(
    round_: Round, concepts: Sequence[Concept], score: Score, paint: Callable[[SuiteBar], Painter], out: Path
) -> tuple[list[Drawn], list[Drawn]]:
    """This round's pictures of these concepts, and an earlier round's; what is drawn already stays as it is."""
    painter = paint(SuiteBar(len(concepts) * round_.per_concept))
    identity = RoundIdentity(
        source=painter.told,
        score=title_of(score),
        higher_is_better=score.higher_is_better,
        pictures=round_.per_concept,
        seed=round_.seed,
    )
    for progress in draw_round(out, identity, concepts, painter, score):
        painter.bar.finish(progress.done - painter.bar.done)
    names = {each.name for each in concepts}
    return [each for each in read_drawn(out) if each.concept in names], drawn_before(out, identity, round_.before)


def _verdict(line: Mapping[str, Any], chosen: Mapping[str, str]) -> str:
    return chosen.get(Path(line["file_name"]).name, KEEP)


def _proposal_told(worst: Sequence[Need], lines: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    if not worst:
        yield "By this score no concept is drawn worse than another, so nothing is proposed."
        return
    covered, n_kept = {line["concept"] for line in lines}, sum(line["accept"] for line in lines)
    yield f"Pictures proposed: {len(lines)}; {n_kept} stay, {len(lines) - n_kept} are left out."
    if lacking := [each.concept.name for each in worst if each.concept.name not in covered]:
        yield f"No candidate's caption says: {Named.of(lacking)}. Add pictures, or captions that do."


def _unscored(needs: Sequence[Need], drawn: Sequence[Drawn]) -> Iterator[str]:
    known = {each.concept.name for each in needs}
    if silent := {each.concept: each.problem for each in drawn if each.concept not in known}:
        yield f"Without a score: {Named.of(silent)} ({next(iter(silent.values()))})"


def _changes_told(before: Sequence[Drawn], drawn: Sequence[Drawn], *, higher_is_better: bool) -> Iterator[str]:
    changed = changes(before, drawn)
    if changed:
        rose, fell = sum(each.low > 0 for each in changed), sum(each.high < 0 for each in changed)
        better, worse = (rose, fell) if higher_is_better else (fell, rose)
        was, now = (sum(values) / len(changed) for values in zip(*((c.before, c.after) for c in changed), strict=True))
        yield (
            f"Since the earlier round: {was:.4g} to {now:.4g} on average; concepts surely better: {better}, surely "
            f"worse: {worse}, of {len(changed)}."
        )


def _shown(needs: Sequence[Need], worst: Sequence[Need], lines: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The table, and a row of pictures for each concept with some."""
    by_concept = {each.concept.name: [line for line in lines if line["concept"] == each.concept.name] for each in worst}
    return {
        "concepts": [
            {
                "name": each.concept.name,
                "score": f"{each.score:.3g}",
                "rarity": f"{each.rarity:.3g}",
                "proposed": len(by_concept.get(each.concept.name, ())),
            }
            for each in needs
        ],
        "names": [name for name, those in by_concept.items() if those],
        "groups": [[_tile(line) for line in those] for those in by_concept.values() if those],
    }


def _tile(line: Mapping[str, Any]) -> dict[str, str]:
    """A picture as the wall shows it; its weight stands where a copy's size would."""
    file = line["file_name"]
    return {
        "name": Path(file).name,
        "file": file,
        "kind": "kept",
        "size": f"x {line['weight']:.2g}",
        "why": line["captions"][0],
    }
