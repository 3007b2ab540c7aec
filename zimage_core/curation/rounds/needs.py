"""Which concepts a model draws worst, weighed against how rare they are; and whether they got better since."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

from ..captions import idf_of
from .concepts import Concept
from .drawn import Drawn


@dataclass(frozen=True, kw_only=True)
class Need:
    """How much a concept asks for pictures."""

    concept: Concept
    score: float  # the mean over its pictures
    shortfall: float  # 0 for the concept that is drawn best, 1 for the worst
    coverage: int | None  # captions that speak of it; None where a map told the rarity
    rarity: float  # BM25's inverse document frequency
    need: float  # shortfall * (rarity / mean rarity) ** strength


@dataclass(frozen=True, kw_only=True)
class Change:
    """A concept's score beside that of an earlier round, over pictures of the same prompts and seeds."""

    concept: str
    before: float
    after: float
    low: float  # of after - before, 95 %; infinite for fewer than two pictures
    high: float
    pictures: int


def needs_of(
    concepts: Sequence[Concept],
    drawn: Sequence[Drawn],
    coverage: Mapping[str, int],
    captions: int,
    *,
    higher_is_better: bool,
    strength: float = 1.0,
) -> list[Need]:
    """The needs of all concepts that have a score, the largest first."""
    scores = {
        name: fmean(values)
        for name in {each.concept for each in drawn}
        if (values := [each.value for each in drawn if each.concept == name and each.value is not None])
    }
    known = [each for each in concepts if each.name in scores]
    if not known:
        return []
    best, worst = sorted((max(scores.values()), min(scores.values())), reverse=higher_is_better)
    rarity = {
        each.name: idf_of(coverage.get(each.name, 0), captions) if each.rarity is None else each.rarity
        for each in known
    }
    mean = fmean(rarity.values()) or 1.0
    found = [
        Need(
            concept=each,
            score=scores[each.name],
            shortfall=(shortfall := (best - scores[each.name]) / (best - worst) if best != worst else 0.0),
            coverage=coverage.get(each.name, 0) if each.rarity is None else None,
            rarity=rarity[each.name],
            need=shortfall * max(rarity[each.name] / mean, 1e-3) ** strength,
        )
        for each in known
    ]
    return sorted(found, key=lambda each: (-each.need, each.concept.name))


def changes(before: Sequence[Drawn], after: Sequence[Drawn]) -> list[Change]:
    """Of each concept of both rounds, in the order of the names."""
    earlier = {(each.concept, each.prompt, each.seed): each.value for each in before}
    pairs: dict[str, list[tuple[float, float]]] = {}
    for each in after:
        was = earlier.get((each.concept, each.prompt, each.seed))
        if was is not None and each.value is not None:
            pairs.setdefault(each.concept, []).append((was, each.value))
    return [change_of(name, pairs[name]) for name in sorted(pairs)]


def change_of(name: str, pairs: Sequence[tuple[float, float]]) -> Change:
    """By the normal approximation of the mean of the differences."""
    differences = [after - before for before, after in pairs]
    half = 1.96 * stdev(differences) / math.sqrt(len(pairs)) if len(pairs) > 1 else math.inf
    mean = fmean(differences)
    return Change(
        concept=name,
        before=fmean(before for before, _ in pairs),
        after=fmean(after for _, after in pairs),
        low=mean - half,
        high=mean + half,
        pictures=len(pairs),
    )
