"""What the pictures of a LoRA's strengths say: what each brings, how burnt it is, and which to take."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .....zimage_core.evaluation.lora_strength import Choice, Tried, burning, chosen, look
from .....zimage_core.evaluation.strength_plot import strength_plot
from .....zimage_core.grid import Line, Plot
from .. import scores
from .columns import columns_of, per_picture, sheets
from .likeness import likeness
from .lora_strengths import AUTOMATIC, Terms
from .pairs import Found

CHANGE = "change (% of the range)"
LIKENESS = "likeness to the references"


def tested(
    terms: Terms, pictures: Mapping[str, Tensor], references: Any, clip_vision: Any, words: Mapping[str, str]
) -> Found:
    """Measure every strength and choose one; `words` of sheet and plot by their English, where they have others.

    Raises ValueError where a score has no number for any picture.
    """
    drawn = columns_of(pictures, len(terms.strengths))
    name, sign, values = _brought(terms, drawn, references, clip_vision)
    means = [_mean(column, name) for column in values]
    tried = _tried(terms, drawn, [sign * mean for mean in means])
    choice = chosen(tried, terms.burn_limit)
    report = report_of(terms, tried, means, choice, name)
    burnt = words.get("burning", "burning")
    titles = [
        f"{'* ' if each.strength == choice.strength else ''}{each.strength:g}: {mean:.4g}, {burnt} {each.burning:.2f}"
        for each, mean in zip(tried, means, strict=True)
    ]
    rows = per_picture(terms.rows, len(drawn[0]))
    sheet, shown = sheets(drawn, titles, [row.label(words) for row in rows])
    plot = strength_plot(tried, means, terms.burn_limit, choice.strength, name, words)
    plotted = torch.from_numpy(np.asarray(plot, dtype=np.float32) / 255)[None]
    facts: dict[str, Any] = {
        "lora": terms.lora,
        "score": name,
        "strength": choice.strength,
        "why": choice.why,
        "limit": terms.burn_limit,
        "strengths": [{**asdict(each), "value": mean} for each, mean in zip(tried, means, strict=True)],
    }
    parts = json.dumps({**facts, "values": values, "rows": [vars(row) for row in rows]})
    outputs = (sheet, choice.strength, plotted, torch.cat(drawn), report, parts)
    lines = _lines(tried, means, name)
    shape = Plot(lines=lines, axis="strength", limit=terms.burn_limit, limit_name="burn limit", chosen=choice.strength)
    return Found(outputs=outputs, report=report, shown=shown, facts=facts, plot=shape)


def _lines(tried: Sequence[Tried], means: Sequence[float], name: str) -> tuple[Line, Line]:
    """What each strength brings and how burnt it is, for the node's plot."""
    strengths = [each.strength for each in tried]
    brought = Line(name=name, points=tuple(zip(strengths, means, strict=True)))
    burnt = tuple((each.strength, each.burning) for each in tried)
    return brought, Line(name="burning", points=burnt, scale="right")


def _brought(
    terms: Terms, drawn: Sequence[Tensor], references: Any, clip_vision: Any
) -> tuple[str, int, list[list[float | None]]]:
    """What is measured, whether more of it is better (1) or less (-1), and each strength's numbers."""
    if terms.score == AUTOMATIC and references is not None:
        return LIKENESS, 1, [[*likeness(clip_vision, column, references)] for column in drawn]
    if terms.score == AUTOMATIC:
        return CHANGE, 1, [[*(100 * (column - drawn[0]).abs().mean((1, 2, 3))).tolist()] for column in drawn]
    score = scores.score_of(terms.score, terms.reader)
    requests = [scores.request_of(row.prompt, "") for row in per_picture(terms.rows, len(drawn[0]))]
    found = [scores.measured(scores.pil_pictures(column), score, requests) for column in drawn]
    sign = 1 if score.higher_is_better else -1
    return scores.title_of(score), sign, [[each.value for each in column] for column in found]


def _mean(values: Sequence[float | None], name: str) -> float:
    known = [value for value in values if value is not None]
    if not known:
        raise ValueError(f"No picture of one strength could be scored by {name}. Choose another score.")
    return sum(known) / len(known)


def _tried(terms: Terms, drawn: Sequence[Tensor], identities: Sequence[float]) -> list[Tried]:
    looks = [
        np.stack([look(np.asarray(picture, dtype=np.float64)) for picture in scores.pil_pictures(column)])
        for column in drawn
    ]
    tried: list[Tried] = []
    for strength, identity, each in zip(terms.strengths, identities, looks, strict=True):
        distance, factors = burning(each, looks[0])
        tried.append(Tried(strength=strength, identity=identity, burning=distance, factors=factors))
    return tried


def report_of(terms: Terms, tried: Sequence[Tried], means: Sequence[float], choice: Choice, name: str) -> str:
    """The strength to take, and a line for each."""
    lines = [
        f"Take strength {choice.strength:g}: {choice.why}.",
        f"Measured: {name}; burning above {terms.burn_limit:g} is too much.",
    ]
    for each, mean in zip(tried, means, strict=True):
        saturation, contrast, detail = each.factors
        lines.append(
            f"strength {each.strength:g}: {mean:.4g}, burning {each.burning:.2f} (saturation x{saturation:.2f}, "
            f"contrast x{contrast:.2f}, detail x{detail:.2f})"
        )
    return "\n".join(lines)
