"""How captions travel through ComfyUI's sampler: so that prompts of different lengths can share one evaluation.

Native keeps captions apart unless they have exactly the same length. Z-Image pads them to multiples of 32 with a
learned token, so two prompts of one multiple have the same geometry and run as one batch. That is also what guidance by
attention (NAG and its like) needs: the positive and the negative prompt in one call.
"""

import torch
from comfy.conds import CONDConstant, CONDRegular
from torch import Tensor
from torch.nn.functional import pad

from ...zimage_core.model.sequence import padded_length


class CaptionCond(CONDRegular):
    """Features (b, n, f) of prompts; shorter ones are filled up with zeros, which `CaptionLengths` marks as nothing."""

    cond: Tensor

    def can_concat(self, other: CONDRegular) -> bool:
        mine, theirs = self.cond, other.cond
        return (
            padded_length(mine.shape[1]) == padded_length(theirs.shape[1])
            and mine.shape[2] == theirs.shape[2]
            and mine.device == theirs.device
        )

    def concat(self, others: list[CONDRegular]) -> Tensor:
        captions = [self.cond, *(other.cond for other in others)]
        longest = max(caption.shape[1] for caption in captions)
        return torch.cat([pad(caption, (0, 0, 0, longest - caption.shape[1])) for caption in captions])


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
