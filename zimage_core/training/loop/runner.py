"""The training loop: a generator that yields the loss of each optimizer step and saves its state to a folder.

All randomness of step k comes from a generator seeded by (seed, k), so a run that is resumed from its folder has the
same losses as one that was never interrupted.
"""

import math
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor, nn
from torch.amp import autocast_mode

from ..distributed.processes import ONE_PROCESS, Processes
from .ema import Ema
from .kept_states import keep_newest
from .optimizers import optimizer_of
from .state import load_state, save_state

# (step, generator) -> scalar parts of the loss; each is back-propagated, its graph freed, before the next is asked for
LossOfStep = Callable[[int, torch.Generator], Iterable[Tensor]]


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Number of steps, learning rate schedule and optimizer settings."""

    steps: int
    lr: float
    optimizer: str = "adamw"  # one of `optimizers.MAKERS`
    warmup_steps: int = 100
    decay_part: float = 0.3  # share of the steps, at the end, in which the learning rate falls linearly to 0
    betas: tuple[float, float] = (0.9, 0.95)
    weight_decay: float = 0.01
    clip: float = 1.0  # gradient norm
    ema_decay: float = 0.998
    seed: int = 0
    save_every: int = 200
    autocast: bool = False  # matrix products in bfloat16; parameters, their averages and the optimizer stay float32

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
    validation: float | None = None  # loss on examples that are not trained on, at steps where it was measured


class DivergedError(ValueError):
    """The loss or its gradient is no number any more; what was saved before is good."""


def never(step: int) -> bool:
    """No number of steps is enough."""
    return False


def train(
    module: nn.Module,
    loss_of_step: LossOfStep,
    recipe: Recipe,
    ema: Ema,
    folder: Path,
    *,
    identity: Mapping[str, Any] = MappingProxyType({}),
    may_differ: Collection[str] = (),
    processes: Processes = ONE_PROCESS,
    keep: int = 1,
    is_enough: Callable[[int], bool] = never,
) -> Iterator[Progress]:
    """Train until the recipe's last step, resuming from and saving to `folder`.

    Parameters stay float32. `identity` is whatever else makes a run another one than that in `folder`, which is refused
    with ValueError; of it only what `may_differ` names may have changed since. Of the saved states the newest `keep`
    stay. Before each step `is_enough` is asked with the number of steps done; where it is, the run ends. A caller that
    stops iterating loses at most `save_every` steps; one that closes the generator, or raises within a step's losses,
    loses none. Of several `processes` each yields its share of the parts. Raises `DivergedError` at a loss or gradient
    that is not finite.
    """
    parameters = [parameter for parameter in module.parameters() if parameter.requires_grad]
    groups = processes.optimized(parameters)
    optimizer = optimizer_of(
        recipe.optimizer, groups, lr=recipe.lr, betas=recipe.betas, weight_decay=recipe.weight_decay
    )
    state_of = {**asdict(recipe), **identity}

    def save(done: int) -> None:
        save_state(folder, done, module, optimizer, ema, state_of, processes)
        if processes.is_first:
            keep_newest(folder, done, keep)

    done = saved = load_state(folder, module, optimizer, ema, state_of, processes, may_differ)
    try:
        for step in range(done, recipe.steps):
            if is_enough(step):
                break
            generator = torch.Generator().manual_seed(recipe.seed * 1_000_003 + step)
            loss, grad_norm = _update(optimizer, loss_of_step(step, generator), recipe, step, folder, processes)
            ema.update(step)
            done = step + 1
            if done % recipe.save_every == 0 or done == recipe.steps:
                save(done)
                saved = done
            yield Progress(step=step, steps=recipe.steps, loss=loss, grad_norm=grad_norm, lr=recipe.lr_at(step))
    except GeneratorExit:  # the caller stops here and may go on later
        if saved < done:
            save(done)
        raise
    except (DivergedError, KeyboardInterrupt):
        raise
    except BaseException:  # within a step, which will be made anew; of several processes the others would wait
        if saved < done and processes.count == 1:
            save(done)
        raise
    if saved < done:
        save(done)


def _update(
    optimizer: torch.optim.Optimizer,
    losses: Iterable[Tensor],
    recipe: Recipe,
    step: int,
    folder: Path,
    processes: Processes,
) -> tuple[float, float]:
    """One step of the optimizer. Returns the loss and the norm of its gradient before clipping."""
    optimizer.zero_grad(set_to_none=True)
    total = 0.0
    for loss in in_bfloat16(losses, optimizer) if recipe.autocast else losses:
        loss.backward()
        total += loss.item()
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    total = processes.mean(total)
    processes.average_gradients(parameters)
    grad_norm = processes.clip_gradients(parameters, recipe.clip)
    if not math.isfinite(total) or not math.isfinite(grad_norm):
        raise DivergedError(
            f"training diverged at step {step + 1}: the loss is {total:g} and its gradient's norm {grad_norm:g}. "
            f"What was saved in {folder} is good; choose a lower learning rate than {recipe.lr:g}"
        )
    for group in optimizer.param_groups:
        group["lr"] = recipe.lr_at(step)
    optimizer.step()
    return total, grad_norm


def in_bfloat16(losses: Iterable[Tensor], optimizer: torch.optim.Optimizer) -> Iterator[Tensor]:
    """The losses, each computed with matrix products in bfloat16 on the device of what is trained."""
    device = optimizer.param_groups[0]["params"][0].device.type
    left = iter(losses)
    while True:
        with autocast_mode.autocast(device, torch.bfloat16):
            loss = next(left, None)
        if loss is None:
            return
        yield loss
