"""`Lora`: an adapter file of any trainer and kind, as weight deltas by parameter of our networks; and its report."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from .deltas import BOFT, OFT, Delta

N_PARTS = 3  # queries, keys and values, stacked by rows in one `qkv` matrix
MAX_LISTED = 5  # names or numbers that a message lists


class AdapterError(ValueError):
    """An adapter that cannot be applied. The message says in one line what is wrong, what was found and what to do."""


class Target(NamedTuple):
    """The parameter of our network that a delta changes, or one third of a fused `qkv` weight."""

    parameter: str  # "layers.0.attention.qkv.weight"
    part: int | None = None  # which third of the rows: 0 queries, 1 keys, 2 values; None: all rows

    def rows(self, height: int) -> tuple[int, int]:
        """The range (start, stop) of rows in a parameter of `height` rows."""
        if self.part is None:
            return 0, height
        return self.part * height // N_PARTS, (self.part + 1) * height // N_PARTS


@dataclass(frozen=True, kw_only=True)
class LoraReport:
    """What a LoRA file holds and how much of it matches the model."""

    file: str
    family: str  # the trainer or naming style, as its keys show
    kinds: tuple[str, ...]  # "LoRA", "LoKr"
    ranks: tuple[int, ...]
    alphas: tuple[float, ...]
    matched: int  # weights that change; queries, keys and values count as three where the file has them separately
    unmatched: tuple[str, ...]  # names that match nothing in the model, each once
    text_encoder: tuple[str, ...]  # keys for a text encoder; ignored, as Z-Image is trained with a frozen one
    redundant: tuple[str, ...]  # modules whose parameters other modules of the file change already

    def describe(self) -> str:
        """The report as a few lines of text."""
        ranks = f"rank {_listed_numbers(self.ranks)}" if self.ranks else ""
        alphas = f"alpha {_listed_numbers(self.alphas)}" if self.alphas else "no alpha" if self.ranks else ""
        return "\n".join(
            [
                f"{self.file}: {' and '.join(self.kinds)}, {self.family}",
                ", ".join(filter(None, (f"Matched: {self.matched}", ranks, alphas))),
                *self.unused(),
            ]
        )

    def unused(self) -> list[str]:
        """A line for each reason for which parts of the file are not used; empty if all are."""
        lines = [
            f"Not matched: {_listed_names(self.unmatched)}" if self.unmatched else "",
            f"Ignored: {len(self.text_encoder)} keys for a text encoder" if self.text_encoder else "",
            f"Left out: {len(self.redundant)} keys that repeat others" if self.redundant else "",
        ]
        return [line for line in lines if line]


@dataclass(frozen=True, kw_only=True)
class Lora:
    """Weight deltas of one file by target parameter, and the names in the file that were not used."""

    file: str
    family: str
    deltas: Mapping[Target, Delta]
    unmatched: tuple[str, ...] = ()
    text_encoder: tuple[str, ...] = ()
    redundant: tuple[str, ...] = ()
    metadata: Mapping[str, str] = field(default_factory=dict[str, str])  # of the file, as its trainer wrote it

    def fitted(self, shapes: Mapping[str, tuple[int, ...]]) -> "Lora":
        """The LoRA without deltas for parameters missing in `shapes`, which are added to `unmatched`.

        Raises `AdapterError` if a shape differs or no parameter matches.
        """
        fitting = {target: delta for target, delta in self.deltas.items() if target.parameter in shapes}
        for target, delta in fitting.items():
            height, *width = shapes[target.parameter]
            start, stop = target.rows(height)
            if not _fits(delta, (stop - start, *width)):
                raise AdapterError(
                    f"{self.file} does not fit this model: its change to {target.parameter} has shape "
                    f"{list(delta.shape)}, the weight there {[stop - start, *width]}. "
                    "It was trained for a model of another size; use it with that one"
                )
        missing = tuple(sorted({target.parameter for target in self.deltas.keys() - fitting.keys()}))
        if not fitting:
            raise AdapterError(
                f"{self.file} changes nothing in this model: none of its {len(missing)} weights is there "
                f"({_listed_names(missing)}). Use it with the model it was made for"
            )
        return replace(self, deltas=fitting, unmatched=self.unmatched + missing)

    def report(self) -> LoraReport:
        """A summary without the tensors."""
        deltas = self.deltas.values()
        return LoraReport(
            file=self.file,
            family=self.family,
            kinds=tuple(sorted({delta.kind for delta in deltas})),
            ranks=tuple(sorted({delta.rank for delta in deltas if delta.rank is not None})),
            alphas=tuple(sorted({delta.alpha for delta in deltas if delta.alpha is not None})),
            matched=len(self.deltas),
            unmatched=self.unmatched,
            text_encoder=self.text_encoder,
            redundant=self.redundant,
        )


def _fits(delta: Delta, shape: tuple[int, ...]) -> bool:
    """Whether a delta is for weights of this shape; rotations of the outputs are for every input width."""
    return delta.shape == (shape[:1] if isinstance(delta, OFT | BOFT) else shape)


def _listed_names(names: tuple[str, ...]) -> str:
    """The count and the first few names: "7 (a, b, c, d, e, …)"."""
    more = ", …" if len(names) > MAX_LISTED else ""
    return f"{len(names)} ({', '.join(name[:80] for name in names[:MAX_LISTED])}{more})"


def _listed_numbers(numbers: tuple[int | float, ...]) -> str:
    more = ", …" if len(numbers) > MAX_LISTED else ""
    return ", ".join(f"{number:g}" for number in numbers[:MAX_LISTED]) + more
