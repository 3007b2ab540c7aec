"""The noise of a batch: from one seed as ComfyUI draws it, or from a seed for each picture."""

from typing import Any

import comfy.sample
import torch
from torch import Tensor

N_SEEDS = 2**64  # after the last comes the first


def batch_noise(samples: Tensor, seed: int, indices: Any) -> Tensor:
    """ComfyUI's noise (b, 16, h, w): that of picture k comes after those of the pictures before it.

    `indices` is the latent's `batch_index`, the number of each picture in the batch it was taken from, or None.
    """
    return comfy.sample.prepare_noise(samples, seed, indices)


def noise_per_picture(samples: Tensor, seed: int, indices: Any) -> Tensor:
    """Noise (b, 16, h, w) with that of a batch of one at `seed` + k for picture k, so each can be drawn again alone."""
    alone = zip(samples.split(1), seeds_of(samples, seed, indices), strict=True)
    return torch.cat([comfy.sample.prepare_noise(each, own) for each, own in alone])


def seeds_of(samples: Tensor, seed: int, indices: Any) -> tuple[int, ...]:
    """The seeds of a batch's pictures, where each has its own; `indices` as above."""
    numbers = range(len(samples)) if indices is None else indices
    return tuple(seed_of(seed, number) for number in numbers)


def seed_of(seed: int, number: int) -> int:
    """The seed of a batch's picture `number`, from 0, where each has its own."""
    return (seed + int(number)) % N_SEEDS
