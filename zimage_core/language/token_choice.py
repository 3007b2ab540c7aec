"""Choosing the next token from its logits: greedy, or drawn after temperature, top-k, top-p and min-p.

Filters stand in the order of transformers' `generate`, and leave the logits they leave.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from .._shapes import Float


@dataclass(frozen=True, kw_only=True)
class Sampling:
    """How tokens are drawn. The defaults are Qwen3's own for thinking (its model card)."""

    temperature: float = 0.6  # 0 is greedy
    top_k: int = 20  # 0 keeps all
    top_p: float = 0.95  # share of probability that is kept; 1 keeps all, 0 the likeliest token
    min_p: float = 0.0  # of the likeliest token's probability; 0 keeps all
    repetition_penalty: float = 1.0  # CTRL (arXiv 1909.05858, section 4.1); 1 is none
    presence_penalty: float = 0.0  # taken off the logit of every token that occurred

    def __post_init__(self) -> None:
        if not 0 <= self.temperature <= 10:
            raise ValueError(f"temperature {self.temperature:g} is outside 0 to 10")
        if self.top_k < 0:
            raise ValueError(f"top-k {self.top_k} is negative; 0 keeps all tokens")
        if not 0 <= self.top_p <= 1:
            raise ValueError(f"top-p {self.top_p:g} is outside 0 to 1")
        if not 0 <= self.min_p <= 1:
            raise ValueError(f"min-p {self.min_p:g} is outside 0 to 1")
        if not 0.1 <= self.repetition_penalty <= 10:
            raise ValueError(f"repetition penalty {self.repetition_penalty:g} is outside 0.1 to 10")
        if not -10 <= self.presence_penalty <= 10:
            raise ValueError(f"presence penalty {self.presence_penalty:g} is outside -10 to 10")


GREEDY = Sampling(temperature=0.0)


def choose_token(
    logits: Float[Tensor, " v"], history: Sequence[int], sampling: Sampling, generator: torch.Generator
) -> int:
    """The next token; `history` holds those before it. Drawn on the CPU, so that a seed means the same everywhere."""
    logits = penalized(logits.cpu(), history, sampling)
    if sampling.temperature == 0:
        return int(logits.argmax())
    probabilities = filtered(logits, sampling).softmax(-1)
    return int(torch.multinomial(probabilities, 1, generator=generator))


def penalized(logits: Float[Tensor, " v"], history: Sequence[int], sampling: Sampling) -> Float[Tensor, " v"]:
    """Logits of tokens that occurred made smaller: divided where positive, multiplied where negative, then less."""
    penalty = sampling.repetition_penalty
    if not history or (penalty == 1 and not sampling.presence_penalty):
        return logits
    seen = torch.tensor(sorted(set(history)))
    found = logits[seen]
    smaller = torch.where(found > 0, found / penalty, found * penalty) - sampling.presence_penalty
    return logits.index_copy(0, seen, smaller)


def filtered(logits: Float[Tensor, " v"], sampling: Sampling) -> Float[Tensor, " v"]:
    """Logits by temperature, with those of unlikely tokens at minus infinity; the likeliest always stays."""
    logits = logits / sampling.temperature
    if 0 < sampling.top_k < len(logits):
        logits = logits.masked_fill(logits < logits.topk(sampling.top_k).values[-1], -torch.inf)
    if sampling.top_p < 1:
        ordered, order = logits.sort()  # least likely first, as in transformers: ties are cut the same way
        is_cut = ordered.softmax(-1).cumsum(-1) <= 1 - sampling.top_p
        is_cut[-1] = False
        logits = logits.masked_fill(torch.zeros_like(is_cut).scatter(0, order, is_cut), -torch.inf)
    if sampling.min_p > 0:
        probabilities = logits.softmax(-1)
        logits = logits.masked_fill(probabilities < sampling.min_p * probabilities.max(), -torch.inf)
    return logits
