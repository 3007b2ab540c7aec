"""LoRAs alone as one LoRA: ranks are joined, so that the sum is exact; `low_rank.reduced` brings it to fewer."""

from collections import defaultdict
from collections.abc import Sequence

import torch

from ..adapters import N_PARTS, Additive, FullDifference, Lora, LowRank, Target
from .source import Source

Terms = list[tuple[Additive, float]]


def summed(loras: Sequence[tuple[Source, Lora]], file: str) -> Lora:
    """The weighted sum, named after a file. Raises ValueError for kinds that depend on the model's weight."""
    terms: defaultdict[Target, Terms] = defaultdict(list)
    for source, lora in loras:
        for target, delta in lora.deltas.items():
            if not isinstance(delta, Additive):
                raise ValueError(
                    f"{lora.file} holds a {delta.kind}, whose change depends on the model's weight: name the base too"
                )
            if weight := source.weight_of(target.parameter):
                terms[target].append((delta, weight))
    if not terms:
        raise ValueError("every weight is 0, so the sum of the LoRAs changes nothing: raise a weight")
    metadata = loras[0][1].metadata if len(loras) == 1 else {}
    deltas = {target: _sum(each) for target, each in _apart(terms).items()}
    return Lora(file=file, family="ComfyUI", deltas=deltas, metadata=metadata)


def _apart(terms: dict[Target, Terms]) -> dict[Target, Terms]:
    """Changes of a whole `qkv` as changes of its thirds, where another LoRA changes those."""
    split = {target.parameter for target in terms if target.part is not None}
    apart: defaultdict[Target, Terms] = defaultdict(list)
    for target, each in terms.items():
        for delta, weight in each:
            if target.part is not None or target.parameter not in split:
                apart[target].append((delta, weight))
                continue
            for part in range(N_PARTS):
                start, stop = Target(target.parameter, part).rows(delta.shape[0])
                apart[Target(target.parameter, part)].append((delta.rows(start, stop), weight))
    return apart


def _sum(terms: Terms) -> Additive:
    """The sum: a LoRA of the joined ranks, or in full where another kind is among them."""
    low_rank = [(delta, weight) for delta, weight in terms if isinstance(delta, LowRank)]
    if len(low_rank) < len(terms):
        return FullDifference(diff=torch.stack([weight * delta.matrix() for delta, weight in terms]).sum(0))
    ups = [weight * delta.scale * delta.up.float() for delta, weight in low_rank]
    return LowRank(up=torch.cat(ups, dim=1), down=torch.cat([delta.down.float() for delta, _ in low_rank]))
