"""A LoRA of any trainer and kind in one form: which weight of ours changes, and by what."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

from .deltas.dora import Delta

N_PARTS = 3  # queries, keys and values, on top of each other in one matrix
N_NAMED = 5  # how many names a sentence lists


class AdapterError(ValueError):
    """An adapter that cannot be applied. The message says what is wrong, what was found and what to do, in one line."""


class Target(NamedTuple):
    """The parameter of ours a delta changes."""

    parameter: str  # "layers.0.attention.qkv.weight"
    part: int | None = None  # which third of its rows: 0 queries, 1 keys, 2 values; None means all

    def rows(self, height: int) -> tuple[int, int]:
        """First row and the one after the last, of a parameter so many rows high."""
        if self.part is None:
            return 0, height
        return self.part * height // N_PARTS, (self.part + 1) * height // N_PARTS


@dataclass(frozen=True, kw_only=True)
class Report:
    """What a LoRA file holds and how much of it has a place in the model."""

    file: str
    family: str  # who wrote it
    kinds: tuple[str, ...]  # "LoRA", "LoKr"
    ranks: tuple[int, ...]
    alphas: tuple[float, ...]
    matched: int  # weights that change; queries, keys and values count each where the file has them apart
    unmatched: tuple[str, ...]  # names that have no place in the model
    text_encoder: tuple[str, ...]  # keys for a text encoder, which Z-Image's never is trained with
    redundant: tuple[str, ...]  # keys that say again what others say

    def describe(self) -> str:
        """A few lines for a person."""
        ranks = f", rank {_listed(self.ranks)}" if self.ranks else ""
        alphas = f", alpha {_listed(self.alphas)}" if self.alphas else ", no alpha" if self.ranks else ""
        lines = [
            f"{self.file}: {' and '.join(self.kinds)}, {self.family}",
            f"Matched: {self.matched}{ranks}{alphas}",
            f"Not matched: {named(self.unmatched)}" if self.unmatched else "",
            f"Ignored: {len(self.text_encoder)} keys for a text encoder" if self.text_encoder else "",
            f"Left out: {len(self.redundant)} keys that repeat others" if self.redundant else "",
        ]
        return "\n".join(line for line in lines if line)


@dataclass(frozen=True, kw_only=True)
class Lora:
    """Changes to a network's weights under our names."""

    file: str
    family: str
    deltas: Mapping[Target, Delta]
    unmatched: tuple[str, ...] = ()
    text_encoder: tuple[str, ...] = ()
    redundant: tuple[str, ...] = ()

    def fitted(self, shapes: Mapping[str, tuple[int, ...]]) -> "Lora":
        """What of it a network of these parameter shapes has a place for; the rest joins the unmatched."""
        fitting = {target: delta for target, delta in self.deltas.items() if target.parameter in shapes}
        for target, delta in fitting.items():
            height, *width = shapes[target.parameter]
            start, stop = target.rows(height)
            if delta.shape != (stop - start, *width):
                raise AdapterError(
                    f"{self.file} does not fit this model: its change to {target.parameter} has shape "
                    f"{list(delta.shape)}, the weight there {[stop - start, *width]}. "
                    "It was trained for a model of another size; use it with that one"
                )
        if not fitting:
            raise AdapterError(
                f"{self.file} changes nothing in this model: none of its {len(self.deltas)} weights is there "
                f"({named(sorted(target.parameter for target in self.deltas))}). Use it with the model it was made for"
            )
        left = tuple(sorted(target.parameter for target in self.deltas.keys() - fitting.keys()))
        return replace(self, deltas=fitting, unmatched=self.unmatched + left)

    def report(self) -> Report:
        """What there is to tell about it, without its tensors."""
        deltas = self.deltas.values()
        return Report(
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


def named(names: tuple[str, ...] | list[str]) -> str:
    """How many there are, and the first few."""
    more = ", …" if len(names) > N_NAMED else ""
    return f"{len(names)} ({', '.join(name[:80] for name in names[:N_NAMED])}{more})"


def _listed(numbers: tuple[int | float, ...]) -> str:
    more = ", …" if len(numbers) > N_NAMED else ""
    return ", ".join(f"{number:g}" for number in numbers[:N_NAMED]) + more
