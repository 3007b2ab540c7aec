"""The training loop: a generator that yields the loss of each optimizer step and saves its state to a folder.

All randomness of step k comes from a generator seeded by (seed, k), so a run that is resumed from its folder has the
same losses as one that was never interrupted.
"""

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from .ema import Ema
from .state import load_state, save_state

LossOfStep = Callable[[int, torch.Generator], Tensor]  # (step, generator) -> scalar loss


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Number of steps, learning rate schedule and optimizer settings."""

    steps: int
    lr: float
    warmup_steps: int = 100
    decay_part: float = 0.3  # share of the steps, at the end, in which the learning rate falls linearly to 0
    betas: tuple[float, float] = (0.9, 0.95)
    weight_decay: float = 0.01
    clip: float = 1.0  # gradient norm
    ema_decay: float = 0.998
    seed: int = 0
    save_every: int = 200

    def lr_at(self, step: int) -> float:
        """Learning rate of a step: linear warm-up, constant, linear decay."""
        warmup = (step + 1) / self.warmup_steps
        decay = (self.steps - step) / max(1.0, self.steps * self.decay_part)
        return self.lr * min(1.0, warmup, decay)


@dataclass(frozen=True, kw_only=True)
class Progress:
    """Loss, gradient norm and learning rate of one optimizer step."""

    step: int  # from 0
    steps: int
    loss: float
    grad_norm: float
    lr: float


def train(module: nn.Module, loss_of_step: LossOfStep, recipe: Recipe, ema: Ema, folder: Path) -> Iterator[Progress]:
    """Train until the recipe's last step, resuming from and saving to `folder`.

    Parameters stay float32. A caller that stops iterating loses at most `save_every` steps.
    """
    parameters = [parameter for parameter in module.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(
        parameters, lr=recipe.lr, betas=recipe.betas, weight_decay=recipe.weight_decay, fused=True
    )
    first = load_state(folder, module, optimizer, ema, asdict(recipe))
    for step in range(first, recipe.steps):
        for group in optimizer.param_groups:
            group["lr"] = recipe.lr_at(step)
        optimizer.zero_grad(set_to_none=True)
        loss = loss_of_step(step, torch.Generator().manual_seed(recipe.seed * 1_000_003 + step))
        loss.backward()
        grad_norm = nn.utils.clip_grad_norm_(parameters, recipe.clip)
        optimizer.step()
        ema.update(step)
        if (step + 1) % recipe.save_every == 0 or step + 1 == recipe.steps:
            save_state(folder, step + 1, module, optimizer, ema, asdict(recipe))
        yield Progress(
            step=step, steps=recipe.steps, loss=loss.item(), grad_norm=grad_norm.item(), lr=recipe.lr_at(step)
        )
