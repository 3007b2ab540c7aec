"""How captions travel through ComfyUI's sampler: so that prompts of different lengths can share one evaluation.

Native keeps captions apart unless they have exactly the same length. Z-Image pads them to multiples of 32 with a
learned token, so two prompts of one multiple have the same geometry and run as one batch. That is also what guidance by
attention (NAG and its like) needs: the positive and the negative prompt in one call.

ComfyUI puts captions together anew at every step. Here a run's steps get one and the same tensor, and what was computed
from it hangs on it: whoever hands the network another tensor gets that one's own results, and nothing outlives the run.
"""

from collections.abc import Callable, Hashable
from typing import Any, TypeVar

import torch
from comfy.conds import CONDConstant, CONDList, CONDRegular
from torch import Tensor
from torch.nn.functional import pad

from ....zimage_core.model.sequence import padded_length

Made = TypeVar("Made")

MEMORY = "zimage_prepared"  # a tensor's attribute: the conditions prepared from it


class CaptionCond(CONDRegular):
    """Features (b, n, f) of prompts; shorter ones are filled up with zeros, which `CaptionLengths` marks as nothing."""

    cond: Tensor

    def __init__(self, cond: Tensor, made: dict[Any, Tensor] | None = None) -> None:
        super().__init__(cond)
        self.made: dict[Any, Tensor] = {} if made is None else made  # what this run made of these captions

    def _copy_with(self, cond: Tensor) -> "CaptionCond":
        return CaptionCond(self.made.setdefault(cond.shape, cond), self.made)

    def can_concat(self, other: CONDRegular) -> bool:
        mine, theirs = self.cond, other.cond
        return (
            padded_length(mine.shape[1]) == padded_length(theirs.shape[1])
            and mine.shape[2] == theirs.shape[2]
            and mine.device == theirs.device
        )

    def concat(self, others: list["CaptionCond"]) -> Tensor:
        captions = [self.cond, *(other.cond for other in others)]
        key = tuple(id(caption) for caption in captions)
        if key not in self.made:
            longest = max(caption.shape[1] for caption in captions)
            joined = torch.cat([pad(caption, (0, 0, 0, longest - caption.shape[1])) for caption in captions])
            self.made[key] = remembering(joined) if all(memory_of(each) is not None for each in captions) else joined
        return self.made[key]


class ReferenceCond(CONDList):
    """Tensors of reference pictures, one and the same for all steps of a run."""

    cond: list[Tensor]

    def __init__(self, cond: list[Tensor], made: dict[Any, list[Tensor]] | None = None) -> None:
        super().__init__(cond)
        self.made: dict[Any, list[Tensor]] = {} if made is None else made

    def _copy_with(self, cond: list[Tensor]) -> "ReferenceCond":
        return ReferenceCond(self.made.setdefault(tuple(each.shape for each in cond), cond), self.made)

    def concat(self, others: list["ReferenceCond"]) -> list[Tensor]:
        key = tuple(id(tensor) for each in (self, *others) for tensor in each.cond)
        if key not in self.made:
            self.made[key] = super().concat(others)
        return self.made[key]


def remembering(caption: Tensor) -> Tensor:
    """The same values as a tensor of its own that keeps what is computed from it."""
    own = caption.view_as(caption)
    setattr(own, MEMORY, {})
    return own


def memory_of(caption: Tensor) -> dict[Any, Any] | None:
    """What was computed from exactly this tensor so far; None where nothing may be kept."""
    return getattr(caption, MEMORY, None)


class CaptionLengths(CONDConstant):
    """The real length of every caption, as plain numbers: reading them costs no wait for the device."""

    cond: tuple[int, ...]

    def process_cond(self, batch_size: int, **kwargs: object) -> "CaptionLengths":
        repeats = -(-batch_size // len(self.cond))
        return CaptionLengths((self.cond * repeats)[:batch_size])

    def can_concat(self, other: CONDRegular) -> bool:
        return isinstance(other, CaptionLengths)

    def concat(self, others: list[CONDRegular]) -> tuple[int, ...]:
        return sum((other.cond for other in others), self.cond)


def kept(memory: dict[Any, Any] | None, key: Hashable, compute: Callable[[], Made]) -> Made:
    """What a run computed under this key, computed now if it was not yet or may not be kept."""
    if memory is None:
        return compute()
    if key not in memory:
        memory[key] = compute()
    return memory[key]
