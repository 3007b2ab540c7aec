"""DMD2's adversarial head: what it reads of the fake score, its own layers, and the pictures it learns from."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import layer_norm, linear, silu

from ..._shapes import Float
from ...model.block import Block
from ...model.condition import Condition, RunBlock, Stage
from ..encoded_example import EncodedExample

HIDDEN = 256


@dataclass(frozen=True, kw_only=True)
class Reals:
    """Encoded pictures of the size that the student draws, each with its captions, and a hash of them all."""

    examples: Sequence[EncodedExample]
    hash: str


class AdversarialHead(nn.Module):
    """A logit for each picture, positive for a real one, from image tokens of the network. At first it is 0 for all."""

    def __init__(self, width: int, generator: torch.Generator) -> None:
        super().__init__()
        self.hidden_weight = nn.Parameter(torch.randn(HIDDEN, width, generator=generator) * width**-0.5)
        self.hidden_bias = nn.Parameter(torch.zeros(HIDDEN))
        self.out_weight, self.out_bias = nn.Parameter(torch.zeros(1, HIDDEN)), nn.Parameter(torch.zeros(1))

    def forward(self, tokens: Float[Tensor, "b n d"]) -> Float[Tensor, " b"]:
        """The mean over what each token tells."""
        normed = layer_norm(tokens.float(), tokens.shape[-1:])  # scale and shift are the next layer's
        hidden = silu(linear(normed, self.hidden_weight, self.hidden_bias))
        return linear(hidden, self.out_weight, self.out_bias).mean(1)[:, 0]


class MiddleTokens:
    """Runs blocks, and keeps the image tokens behind the middle one of the main layers."""

    def __init__(self, run: RunBlock, condition: Condition, n_layers: int, *, goes_on: bool) -> None:
        """Unless it `goes_on` the later layers are left out, and what the network predicts means nothing."""
        self.inner, self.condition, self.goes_on = run, condition, goes_on
        self.middle = (n_layers - 1) // 2
        self.tokens: Tensor | None = None

    def __call__(self, stage: Stage, index: int, block: Block, x: Tensor) -> Tensor:
        if stage.name != "layers":
            return self.inner(stage, index, block, x)
        if index <= self.middle or self.goes_on:
            x = self.inner(stage, index, block, x)
        if index == self.middle:
            (rows, columns), start = self.condition.size, self.condition.image_start
            self.tokens = x[:, start : start + rows * columns]
        return x


def value_and_gradient(
    losses_of: Callable[[Tensor], Float[Tensor, " b"]], x0: Float[Tensor, "b ..."]
) -> tuple[Float[Tensor, " b"], Float[Tensor, "b ..."]]:
    """Losses at `x0` and their gradient with respect to it alone, found at once.

    So neither head nor fake score learns from what is meant for the student, and blocks that are computed again for the
    gradient are so in the role of this moment.
    """
    with torch.enable_grad():
        leaf = x0.detach().requires_grad_()
        losses = losses_of(leaf)
        if not losses.requires_grad:  # all are another process's
            return losses.detach(), torch.zeros_like(leaf)
        (gradient,) = torch.autograd.grad(losses.sum(), leaf)
    return losses.detach(), gradient.detach()
