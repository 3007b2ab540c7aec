"""What `zimage data curate` does with its parsed options: a round, its proposal, and what is accepted of it."""

import argparse
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ..counted import counted
from ..curation.captions import captions_of
from ..curation.engine import record_of_stage
from ..curation.engine.output import row_groups
from ..curation.rounds import (
    PAGE,
    PROPOSAL,
    Change,
    Concept,
    Drawn,
    Need,
    RoundIdentity,
    accepted,
    changes,
    coverage_of,
    draw_round,
    needs_of,
    propose,
    read_concepts,
    read_drawn,
    write_accepted,
    write_proposal,
    write_proposal_page,
)
from ..curation.search import ByCaptions, ByVectors, find_pictures, found_in
from ..data import Example, Named, read_dataset
from ..scoring.score import title
from .data_stages import with_bar
from .data_vectors import choice_of_vectors, vectors_of_words
from .named_scores import score_of
from .suite_run import drawer_of

MANIFEST = "manifest.jsonl"
SHOWN = 20  # concepts that are printed


def curate(options: argparse.Namespace) -> None:
    """Draw, score and propose, or accept what was proposed."""
    learned = read_dataset(options.data, options.caption).examples if options.data else []
    if options.accept:
        accept(options, learned)
        return
    record_of_stage(options.pool, "embed", ("path", "vector"))
    concepts = read_concepts(options.concepts, options.most_concepts)
    score = score_of(options.score)
    draw, source = drawer_of(options)
    identity = RoundIdentity(
        source=source,
        score=title(score),
        higher_is_better=score.higher_is_better,
        pictures=options.per_concept,
        seed=options.seed,
    )
    with_bar(draw_round(options.out, identity, concepts, draw, score))
    drawn = read_drawn(options.out)
    coverage, count = coverage_of(concepts, captions_known(options, learned))
    needs = needs_of(concepts, drawn, coverage, count, higher_is_better=score.higher_is_better, strength=options.rarity)
    if not needs:
        raise ValueError(f"{title(score)} has no number for any of these pictures: {drawn[0].problem}")
    worst = [each for each in needs if each.need > 0][: options.worst]
    is_new = not (options.out / PROPOSAL).exists()  # an old one may be edited
    if is_new and worst:
        lines = propose(worst, candidates(options, worst, learned), options.candidates)
        write_proposal_page(options.out, worst, drawn, lines)
        write_proposal(options.out, lines)
    changed = changes(read_drawn(options.before), drawn) if options.before else []
    tell(options, needs, worst, changed, unread(needs, drawn), higher_is_better=score.higher_is_better)


def captions_known(options: argparse.Namespace, learned: Sequence[Example]) -> Iterator[Sequence[str]]:
    """Of what is trained on now; of the pool where that is not told."""
    if options.data:
        yield from (each.captions for each in learned)
        return
    for table in row_groups(options.pool, ["path"]):
        yield from captions_of(table["path"].to_pylist())


def candidates(
    options: argparse.Namespace, worst: Sequence[Need], learned: Sequence[Example]
) -> dict[str, list[dict[str, Any]]]:
    """Pictures of the pool for the words of each concept, none that is trained on already."""
    without = frozenset(str(each.picture.absolute()) for each in learned)
    most, found = options.candidates * 2, dict[str, list[dict[str, Any]]]()
    for name, some in searched(options, [each.concept for each in worst]).items():
        search: ByCaptions | ByVectors
        if options.encoder:
            search = by_words(options, some, most, without)
        else:
            search = ByCaptions(told=some, most=most, as_phrases=name == "words", without=without)
        file = options.out / f"found-{name}.parquet"
        with_bar(find_pictures(options.pool, file, search))
        found |= found_in(file)
    return found


def searched(options: argparse.Namespace, concepts: Sequence[Concept]) -> dict[str, tuple[str, ...]]:
    """Texts to search for: words that captions say as they are, and prompts of concepts without such."""
    if options.encoder:
        return {"texts": tuple(dict.fromkeys(text for each in concepts for text in each.asked))}
    words = tuple(dict.fromkeys(text for each in concepts for text in each.words))
    prompts = tuple(dict.fromkeys(text for each in concepts if not each.words for text in each.prompts))
    return {name: some for name, some in (("words", words), ("prompts", prompts)) if some}


def by_words(options: argparse.Namespace, texts: tuple[str, ...], most: int, without: frozenset[str]) -> ByVectors:
    """By the CLIP or SigLIP that made the pool's vectors."""
    choice = choice_of_vectors(record_of_stage(options.pool, "embed", ("vector",)), options.encoder, options.device)
    return ByVectors(texts, vectors_of_words(choice, texts).numpy(), f"cosine, {choice.name}", most, without)


def accept(options: argparse.Namespace, learned: Sequence[Example]) -> None:
    """Write what is trained on next."""
    lines = accepted(options.out, everything=options.accept == "all")
    if not lines:
        raise ValueError(f'{options.out / PROPOSAL} has no line with "accept": true: edit it, or give --accept all')
    manifest = options.out / MANIFEST
    write_accepted(manifest, learned, lines)
    told = {"manifest": str(manifest), "accepted": len(lines), "learned": len(learned)}
    sentence = (
        f"{manifest}: {counted(len(lines), 'picture')} accepted beside {len(learned)}; train with --data {manifest}"
    )
    print(json.dumps(told) if options.json else sentence)


def tell(
    options: argparse.Namespace,
    needs: Sequence[Need],
    worst: Sequence[Need],
    changed: Sequence[Change],
    silent: Mapping[str, str],
    *,
    higher_is_better: bool,
) -> None:
    """Print the round."""
    file = options.out / PROPOSAL
    proposed = accepted(options.out, everything=True) if file.exists() else []
    covered = {line["concept"] for line in proposed}
    lacking = [each.concept.name for each in worst if each.concept.name not in covered]
    if options.json:
        told = [{**asdict(each), "concept": each.concept.name} for each in needs]
        result = {"needs": told, "proposed": len(proposed), "lacking": lacking, "unscored": list(silent)}
        result |= {"changes": list(map(plain, changed))}
        print(json.dumps({"file": str(file), **result}, ensure_ascii=False))
        return
    lines = [
        f"  {each.score:8.4g}  need {each.need:.3f}  rarity {each.rarity:.3f}  {each.concept.name}"
        for each in needs[:SHOWN]
    ]
    lines += changes_told(changed, options.before, higher_is_better=higher_is_better)
    if lacking:
        lines.append(f"nothing in the pool shows {', '.join(lacking[:SHOWN])}: add pictures, or captions that say so")
    if silent:
        lines.append(f"without a score: {Named.of(silent)} ({next(iter(silent.values()))})")
    if not worst:
        lines.append("by this score no concept is drawn worse than another, so nothing is proposed")
    elif proposed:
        told = f"{file}: {counted(len(proposed), 'picture')} proposed for {counted(len(covered), 'concept')}"
        agree = f'look at {PAGE}, set "accept": true where you agree and give --accept edited, or --accept all'
        lines.append(f"{told}; {agree}")
    print("\n".join(lines))


def unread(needs: Sequence[Need], drawn: Sequence[Drawn]) -> dict[str, str]:
    """Concepts of whose pictures none has a score, with what the score says of the first."""
    known = {each.concept.name for each in needs}
    return {each.concept: each.problem for each in reversed(drawn) if each.concept not in known}


def plain(change: Change) -> dict[str, Any]:
    """For JSON, which has no infinite numbers."""
    return {name: None if value in (math.inf, -math.inf) else value for name, value in asdict(change).items()}


def changes_told(changed: Sequence[Change], before: Path, *, higher_is_better: bool) -> list[str]:
    """Each concept's scores in both rounds, and how many surely moved."""
    if not changed:
        return []
    rose, fell = sum(each.low > 0 for each in changed), sum(each.high < 0 for each in changed)
    better, worse = (rose, fell) if higher_is_better else (fell, rose)
    return [
        *(
            f"  {each.concept}: {each.before:.4g} to {each.after:.4g} ({each.low:+.3g} to {each.high:+.3g})"
            for each in changed
        ),
        f"since {before}: of {counted(len(changed), 'concept')} {better} surely better, {worse} surely worse",
    ]
