"""Measures editing on edits that were never trained on, with a checker that knows the renderer; `judge` prints it.

Success means that everything in the picture is as asked. An edit must also leave everything else unchanged: outside the
edited region, results are compared with the reconstructed source. Controls are printed with them: real pictures, the
true targets through the autoencoder (the ceiling), sources returned unchanged, and results of other edits' instructions
(the floor).
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from random import Random

import numpy as np
import torch
from PIL import Image
from tqdm import tqdm

from ...evaluation.intervals import wilson
from ..data.captions import LANGUAGES
from ..data.edit_captions import held_out_instruction, plain_instruction
from ..data.edits import KINDS, Edit, held_out_edits
from ..data.render import pixels
from .edit_checker import EditScore, check_edit, dilate

BATCH = 48
REGION_MARGIN = 2  # pixels around the edited region that are not counted as outside: the autoencoder blurs its edge
OTHER_OFFSET = 7  # the floor uses the instruction of the edit this far on in the list, mostly of the same kind
ALL = "all"
PARTS = ("edited", "others", "nothing_else", "ground")

Pictures = list[Image.Image]
Editor = Callable[[Sequence[Image.Image], Sequence[str], int], Pictures]  # of sources, instructions and a seed
Reconstruct = Callable[[Sequence[Image.Image]], Pictures]  # through the autoencoder and back


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """The result of one edit, checked."""

    kind: str
    score: EditScore
    error_outside: float  # squared, of channels in [0, 1], summed
    values_outside: int


@dataclass(frozen=True, kw_only=True)
class Row:
    """One row of the table: its name and the result of every edit."""

    name: str
    verdicts: list[Verdict]

    def success(self, kind: str = ALL) -> tuple[float, float, float]:
        """The rate of fully successful edits, of one kind or all, and its 95 % interval."""
        scores = [each.score.is_success for each in self.verdicts if kind in (each.kind, ALL)]
        return sum(scores) / len(scores), *wilson(sum(scores), len(scores))

    @property
    def psnr_outside(self) -> float:
        """Of all values outside the edited regions together, in dB; infinite if none has changed."""
        error = sum(each.error_outside for each in self.verdicts) / sum(each.values_outside for each in self.verdicts)
        return float("inf") if error == 0 else -10 * float(np.log10(error))

    def line(self) -> str:
        """The line in Markdown: success of each kind and of all, which parts were right, and what stayed."""
        cells = [f"{rate:.3f} ({low:.3f} to {high:.3f})" for rate, low, high in map(self.success, (*KINDS, ALL))]
        cells += [f"{np.mean([getattr(each.score, part) for each in self.verdicts]):.3f}" for part in PARTS]
        return f"| {self.name} | {' | '.join(cells)} | {self.psnr_outside:.1f} |"


def header(n: int) -> str:
    """The two lines above the rows."""
    names = [*KINDS, ALL, *(part.replace("_", " ") for part in PARTS), "PSNR outside, dB"]
    return f"| {n} held-out edits | {' | '.join(names)} |\n| --- |" + " --- |" * len(names)


def report(editor: Editor, reconstruct: Reconstruct, edits: Sequence[Edit] | None = None) -> Iterator[str]:
    """The table, line by line, in Markdown."""
    edits = held_out_edits() if edits is None else edits
    yield header(len(edits))
    for row in rows(editor, reconstruct, edits):
        yield row.line()


def rows(editor: Editor, reconstruct: Reconstruct, edits: Sequence[Edit]) -> Iterator[Row]:
    """Controls first, then each language with plain instructions, then with sentences never trained on."""
    sources, targets = map(list, zip(*(edit.render(seed) for seed, edit in enumerate(edits)), strict=True))
    kept = _in_batches("sources", sources, lambda batch, _: reconstruct(batch))
    ceiling = _in_batches("targets", targets, lambda batch, _: reconstruct(batch))
    yield judge_all("real targets", edits, targets, sources)
    yield judge_all("targets reconstructed (ceiling)", edits, ceiling, kept)
    yield judge_all("sources returned (floor)", edits, kept, kept)
    for name, instructions in instructions_by_row(edits):
        yield judge_all(name, edits, _in_batches(name, sources, partial(_edit_batch, editor, instructions)), kept)


def instructions_by_row(edits: Sequence[Edit]) -> Iterator[tuple[str, list[str]]]:
    """Row names, each with its instruction for every edit."""
    others = [*edits[OTHER_OFFSET:], *edits[:OTHER_OFFSET]]
    yield "other edits' instructions (floor)", [plain_instruction(edit, "en").text for edit in others]
    for language in LANGUAGES:
        yield language, [plain_instruction(edit, language).text for edit in edits]
    for language in LANGUAGES:
        rng = Random(0)
        sentences = [held_out_instruction(edit, language, rng).text for edit in edits]
        yield f"{language}, sentences never trained on", sentences


def judge_all(name: str, edits: Sequence[Edit], results: Pictures, sources: Pictures) -> Row:
    """Every result checked against its edit and compared with its source; an edit's seed is its index."""
    pairs = zip(edits, results, sources, strict=True)
    return Row(name=name, verdicts=[judge(edit, seed, *pictures) for seed, (edit, *pictures) in enumerate(pairs)])


def judge(edit: Edit, seed: int, result: Image.Image, source: Image.Image) -> Verdict:
    """One result checked, and compared with its source outside the edited region."""
    outside = ~dilate(edit.region(seed), REGION_MARGIN)
    errors = np.square(pixels(result) - pixels(source))[outside]
    return Verdict(
        kind=edit.kind,
        score=check_edit(result, edit),
        error_outside=float(errors.sum()),
        values_outside=errors.size,
    )


def _edit_batch(editor: Editor, instructions: list[str], batch: Pictures, first: int) -> Pictures:
    return editor(batch, instructions[first : first + BATCH], first)


def _in_batches(name: str, pictures: Pictures, change: Callable[[Pictures, int], Pictures]) -> Pictures:
    with torch.inference_mode():
        starts = tqdm(range(0, len(pictures), BATCH), desc=name, leave=False)
        return [each for first in starts for each in change(pictures[first : first + BATCH], first)]
