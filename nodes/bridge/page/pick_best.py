"""Seeds tried one after the other until a score is good enough, as a graph that ComfyUI runs in place of the node.

All tries are nodes of that graph from the start, so ComfyUI's cache keeps what was drawn, also after an interruption.
Each is given the tries before it and asks for its own pictures only if none of those was good enough.
"""

import json
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import torch
from comfy_execution.graph_utils import GraphBuilder
from torch import Tensor

from ....zimage_core.scoring.score import Measurement, Request, Score
from ..tasks import scores
from ..tasks.noise import seed_of
from ..tasks.tried_sheet import tried_sheet
from . import asked, metadata, score_results
from .prompt_graph import Prompt, link_in
from .redrawing import drawn_again, redrawing_of

TRY = "ZImagePickBestTry"
MOST_TRIES = 64
N_OUTPUTS = 5  # of the node; a try has one more, the tries so far

INSIDE = (
    "Z-Image Pick Best draws again what is connected to it, which it cannot do inside a node that builds its own "
    "graph. Put it outside."
)


@dataclass(frozen=True, kw_only=True)
class Terms:
    """What one try is asked; travels as JSON."""

    node: str  # the id of Z-Image Pick Best
    score: str
    reader: str
    prompt: str
    texts: str
    good_enough: float
    seed: int  # of the first sampler
    seed_step: int  # from picture to picture of a batch
    offset: int = 0  # from the seeds of the graph
    is_last: bool = False

    def question(self) -> tuple[Score, Request]:
        """The score and what it is asked; ValueError for one that is not known."""
        return scores.score_of(self.score, self.reader), scores.request_of(self.prompt, self.texts)


class Try(NamedTuple):
    """Pictures (b, h, w, c) of one try, what was measured, and how far each one's seed is from the graph's."""

    pictures: Tensor
    measurements: tuple[Measurement, ...]
    offsets: tuple[int, ...]
    seeds: tuple[int, ...]


class Best(NamedTuple):
    """The best number so far and where it is, from 0."""

    value: float
    number: int
    index: int


class Shown(NamedTuple):
    """A try's outputs, and what the node shows once it is measured."""

    outputs: tuple[Any, ...]
    node: str  # the id of Z-Image Pick Best
    report: str = ""
    sheet: Tensor | None = None


def graph_of(images: Any, hidden: Any, tries: int, prompt: str, **settings: Any) -> tuple[list[Any], dict[str, Any]]:
    """Links to the outputs, and the nodes; ValueError for what no try could answer, before anything is drawn."""
    queued: Prompt = (hidden.prompt if hidden else None) or {}
    source = link_in(images)
    if source is None or source.node_id not in queued:
        raise ValueError(INSIDE)
    how = redrawing_of(queued, source)
    first = Terms(
        node=str(hidden.unique_id),
        prompt=prompt or metadata.prompt_before(hidden),
        seed=how.seeds[how.first],
        seed_step=int(how.is_per_picture),
        **settings,
    )
    if first.prompt or not asked.awaits_enhancer(queued, str(hidden.unique_id)):  # which no try has run yet
        scores.check_request(*first.question())
    graph = GraphBuilder()
    last = _try(graph, replace(first, is_last=tries == 1), list(source))
    for number in range(1, tries):
        offset = number * how.stride
        terms = replace(first, offset=offset, is_last=number == tries - 1)
        last = _try(graph, terms, drawn_again(queued, how, offset, graph), before=last.out(N_OUTPUTS))
    return [last.out(slot) for slot in range(N_OUTPUTS)], graph.finalize()


def _try(graph: GraphBuilder, terms: Terms, images: list[Any], **before: Any) -> Any:
    """The node of one try, whose pictures are those of a link."""
    return graph.node(TRY, f"try-{terms.offset}", terms=json.dumps(vars(terms)), images=images, **before)


def is_wanted(written: str, before: tuple[Try, ...] | None) -> bool:
    """Whether a try's own pictures are needed, after those before it."""
    terms = Terms(**json.loads(written))
    score, _ = terms.question()
    best = best_of(before or (), score)
    if best is None:
        return True
    return best.value < terms.good_enough if score.higher_is_better else best.value > terms.good_enough


def tried(written: str, images: Any, before: tuple[Try, ...] | None, hidden: Any) -> Shown:
    """The tries with this one measured; without `images` those before it. Raises ValueError where none has a number."""
    terms = Terms(**json.loads(written))
    if not terms.prompt and hidden and hidden.prompt and terms.node in hidden.prompt:  # the enhancer has run by now
        terms = replace(terms, prompt=metadata.prompt_of(hidden.prompt, terms.node))
    score, request = terms.question()
    tries = before or ()
    if images is not None:
        found = scores.scored(images, score, request).measurements
        offsets = tuple(terms.offset + terms.seed_step * index for index in range(len(found)))
        tries += (Try(images, tuple(found), offsets, tuple(seed_of(terms.seed, each) for each in offsets)),)
    best = best_of(tries, score)
    if best is None and terms.is_last:
        raise ValueError(f"No picture could be scored by {score.name}: {[*tries][-1].measurements[-1].problem}.")
    if best is not None and terms.is_last:
        score_results.tell(hidden, terms.node, _facts(tries, best, score))
    report = "\n".join([scores.title_of(score), *_lines(tries, score)])
    shown = Shown((*_outputs(tries, best), report, tries), terms.node)
    return shown if images is None else shown._replace(report=report, sheet=_sheet(tries, best))


def best_of(tries: tuple[Try, ...], score: Score) -> Best | None:
    """Of equals the first; None where nothing has a number."""
    sign = 1 if score.higher_is_better else -1
    numbers = [
        (sign * each.value, -number, -index)
        for number, one in enumerate(tries)
        for index, each in enumerate(one.measurements)
        if each.value is not None
    ]
    if not numbers:
        return None
    value, number, index = max(numbers)
    return Best(sign * value, -number, -index)


def _outputs(tries: tuple[Try, ...], best: Best | None) -> tuple[Any, ...]:
    """The best picture, its seed and number, and all pictures; of other sizes than the first's none is among them."""
    size = tries[0].pictures.shape[1:]
    everything = torch.cat([each.pictures for each in tries if each.pictures.shape[1:] == size])
    if best is None:
        return None, None, None, everything
    chosen = tries[best.number]
    return chosen.pictures[best.index : best.index + 1], chosen.seeds[best.index], best.value, everything


def _facts(tries: tuple[Try, ...], best: Best, score: Score) -> dict[str, Any]:
    """For a saved picture."""
    chosen = tries[best.number]
    place = {"picked": best.number + 1, "seed": chosen.seeds[best.index], "offset": chosen.offsets[best.index]}
    values = [[each.value for each in one.measurements] for one in tries]
    return {"score": score.name, "reader": score.reader, "value": best.value, **place, "values": values}


def _lines(tries: tuple[Try, ...], score: Score) -> list[str]:
    """A line for each picture of each try."""
    return [
        f"try {number}, seed {seed}: {scores.told(score, each)}"
        for number, one in enumerate(tries, 1)
        for seed, each in zip(one.seeds, one.measurements, strict=True)
    ]


def _sheet(tries: tuple[Try, ...], best: Best | None) -> Tensor:
    """All tries with their numbers, the best with a star."""
    labels: list[str] = []
    for number, one in enumerate(tries):
        values = ", ".join("-" if each.value is None else f"{each.value:.4g}" for each in one.measurements)
        labels.append(f"{number + 1}: {values}" + (" *" if best and best.number == number else ""))
    return tried_sheet([each.pictures for each in tries], labels)
