"""One training run: a generator that steps an optimizer and yields what happened.

Everything random in step k is drawn from a generator seeded by (seed, k), so a run that stops and resumes from its
folder makes the same steps, with the same losses, as one that never stopped.
"""

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from .ema import Ema
from .state import load_state, save_state

LossOfStep = Callable[[int, torch.Generator], Tensor]


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How long and how fast to learn."""

    steps: int
    lr: float
    warmup_steps: int = 100
    decay_part: float = 0.3  # of the steps, at the end, the rate falls linearly to zero
    betas: tuple[float, float] = (0.9, 0.95)
    weight_decay: float = 0.01
    clip: float = 1.0  # gradient norm
    ema_decay: float = 0.998
    seed: int = 0
    save_every: int = 200

    def lr_at(self, step: int) -> float:
        """Linear warm-up, constant, linear tail."""
        warm = (step + 1) / self.warmup_steps
        tail = (self.steps - step) / max(1.0, self.steps * self.decay_part)
        return self.lr * min(1.0, warm, tail)


@dataclass(frozen=True, kw_only=True)
class Progress:
    """One optimizer step."""

    step: int  # from 0
    steps: int
    loss: float
    grad_norm: float
    lr: float


def train(module: nn.Module, loss_of_step: LossOfStep, recipe: Recipe, ema: Ema, folder: Path) -> Iterator[Progress]:
    """Train until the recipe's last step, saving to `folder` on the way and resuming from what lies there.

    Parameters stay float32; a caller who stops iterating loses at most `save_every` steps.
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
