"""`python -m zimage_core.nano.judging.judge_captions`: does nano's captioner say what its pictures show?

Captions are of renders of held-out scenes, written greedily. An attribute is right if the caption states it and the
scene has it; of a user prompt, everything it states must be true. Differences are of held-out edits: nano's editor is
given the instruction that the captioner wrote, beside the true one and another edit's, with the same noise; the edit
checker tells whether it led to the target.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from PIL import Image

from ...language import GREEDY, Budgets
from ...language.back_end import Question, ask
from ..captioner import NanoCaptioner, load_captioner
from ..data.captions import LANGUAGES
from ..data.edit_captions import plain_instruction
from ..data.edits import KINDS as EDIT_KINDS
from ..data.edits import Edit, held_out_edits
from ..data.picture_captions import DIFFERENCE, KINDS, USER, named_attributes
from ..data.render import render
from ..data.scenes import Scene, held_out_scenes
from ..files import FOLDER
from .edit_checker import check_edit
from .editor import EditingModel, load_editor
from .judge import ATTRIBUTES, BATCH, print_report, shuffled
from .judge_edits import OTHER_OFFSET
from .judge_writer import attributes_in
from .rates import rate

BUDGETS = Budgets(thought=0, answer=120)


@dataclass(frozen=True, kw_only=True)
class Reading:
    """A caption beside its scene: which attributes it was to state, and which of those are right."""

    stated: frozenset[str]
    right: frozenset[str]

    @property
    def is_right(self) -> bool:
        """Whether all are."""
        return self.stated == self.right


def caption(captioner: NanoCaptioner, pictures: Sequence[Image.Image], kind: str, language: str) -> str:
    """What the captioner says, greedily."""
    question = Question(prompt=kind, pictures=tuple(pictures), language=language, budgets=BUDGETS, sampling=GREEDY)
    return ask(captioner, question).answer


def read(said: str, scene: Scene, kind: str, language: str) -> Reading:
    """A caption against its scene."""
    found, names = attributes_in(said), set(named_attributes(kind, language))
    told = {name: _values(found, name) for name in ATTRIBUTES}
    if kind == USER:
        names |= {name for name, values in told.items() if any(values)}
    right = {name for name in names if told[name] == _values(vars(scene), name)}
    return Reading(stated=frozenset(names), right=frozenset(right))


def _values(of: Mapping[str, str], attribute: str) -> tuple[str | None, ...]:
    """A position is two of a scene's values."""
    return tuple(of.get(name) for name in (("row", "column") if attribute == "position" else (attribute,)))


def caption_table(captioner: NanoCaptioner, limit: int) -> Iterator[str]:
    """How often each attribute that a kind states is right."""
    scenes = shuffled(held_out_scenes())[:limit]
    yield f"| {len(scenes)} held-out scenes | {' | '.join(ATTRIBUTES)} | all attributes | whole captions |"
    yield "| --- " * (len(ATTRIBUTES) + 3) + "|"
    everything: list[Reading] = []
    for language in LANGUAGES:
        for kind in KINDS:
            readings = [
                read(caption(captioner, [render(scene, index)], kind, language), scene, kind, language)
                for index, scene in enumerate(scenes)
            ]
            everything += readings
            yield _line(f"{kind}, {language}", readings)
    yield _line("all kinds", everything)


def _line(name: str, readings: Sequence[Reading]) -> str:
    cells = [name]
    for attribute in ATTRIBUTES:
        stated = sum(attribute in each.stated for each in readings)
        right = sum(attribute in each.right for each in readings)
        cells.append(f"{right / stated:.3f}" if stated else "")
    cells.append(rate(sum(len(each.right) for each in readings), sum(len(each.stated) for each in readings)))
    cells.append(rate(sum(each.is_right for each in readings), len(readings)))
    return f"| {' | '.join(cells)} |"


def difference_table(captioner: NanoCaptioner, editor: EditingModel, edits: Sequence[Edit]) -> Iterator[str]:
    """How often the captioner's instruction is the true one, and how often each leads the editor to the target."""
    pairs = [edit.render(seed) for seed, edit in enumerate(edits)]
    others = [*edits[OTHER_OFFSET:], *edits[:OTHER_OFFSET]]
    yield f"| {len(edits)} held-out edits | word for word | led to the target | by the true one | by another's |"
    yield "| --- " * 5 + "|"
    for language in LANGUAGES:
        true = [plain_instruction(edit, language).text for edit in edits]
        said = [caption(captioner, pair, DIFFERENCE, language) for pair in pairs]
        other = [plain_instruction(edit, language).text for edit in others]
        same = sum(a == b for a, b in zip(said, true, strict=True))
        led = (rate(led_to_target(editor, edits, each), len(edits)) for each in (said, true, other))
        yield f"| {language} | {rate(same, len(edits))} | {' | '.join(led)} |"


@torch.inference_mode()
def led_to_target(editor: EditingModel, edits: Sequence[Edit], instructions: Sequence[str]) -> int:
    """In how many edits an instruction makes the target out of the source; the noise is the edit's own."""
    right = 0
    for first in range(0, len(edits), BATCH):
        chosen = edits[first : first + BATCH]
        sources = [edit.render(first + index)[0] for index, edit in enumerate(chosen)]
        results = editor.edit(sources, instructions[first : first + BATCH], first)
        right += sum(check_edit(result, edit).is_success for result, edit in zip(results, chosen, strict=True))
    return right


def report(limit: int) -> Iterator[str]:
    """Both tables, line by line, in Markdown."""
    captioner = load_captioner()
    yield from caption_table(captioner, limit)
    yield ""
    edits = held_out_edits(max(1, limit // len(EDIT_KINDS)))
    yield from difference_table(captioner, load_editor(FOLDER), edits)


if __name__ == "__main__":
    print_report(__doc__ or "", report, "scenes of each kind", limit=24, threads=1)
