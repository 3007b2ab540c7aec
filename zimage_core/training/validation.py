"""Loss on examples that are not trained on, at fixed levels and with fixed noise: comparable between steps and runs."""

from collections.abc import Sequence
from typing import TypeVar

import torch

from ..model import S3DiT
from ..model.condition import RunBlock
from .distributed import ONE_PROCESS, Processes
from .encoded_example import EncodedExample
from .loop.micro_batches import Noised, micro_batches
from .objectives.noised import losses_of

N_LEVELS = 8
LEVELS = [(2 * index + 1) / (2 * N_LEVELS) for index in range(N_LEVELS)]  # 0.0625 to 0.9375
HELD_OUT = 10  # one example of so many
Kind = TypeVar("Kind")


def held_out(examples: Sequence[Kind]) -> tuple[list[Kind], list[Kind]]:
    """Examples to train on, and every tenth to validate with: none of fewer than ten."""
    kept = [each for index, each in enumerate(examples) if index % HELD_OUT != HELD_OUT - 1]
    return kept, list(examples[HELD_OUT - 1 :: HELD_OUT])


@torch.no_grad()
def validation_loss(
    dit: S3DiT,
    examples: Sequence[EncodedExample],
    token_budget: int,
    processes: Processes = ONE_PROCESS,
    run: RunBlock | None = None,
) -> float:
    """The mean loss of examples over all levels, with the first caption of each and its latent's mean."""
    generator = torch.Generator().manual_seed(0)
    noised: list[Noised] = []
    for example in examples:
        x0 = example.picture.mean.float()
        noise = torch.randn(x0.shape, generator=generator)
        noised += [
            Noised(x0, noise, torch.tensor(level), example.captions[0], example.seen, example.weight)
            for level in LEVELS
        ]
    groups = list(micro_batches(noised, token_budget, processes.count))
    losses = [losses_of(dit, group, run=run)[0].sum() * factor for group, factor in processes.share(groups)]
    return processes.mean(torch.stack(losses).sum().item() / len(noised))
