"""Which examples a step sees: every epoch all of them once, in an order of its own, known from the step's number."""

import torch


def chosen_examples(step: int, batch: int, n: int, seed: int) -> list[int]:
    """Indices of the `batch` examples of a step, counted from 0, among `n`; a batch may reach into the next epoch."""
    return examples_at(range(step * batch, (step + 1) * batch), n, seed)


def examples_at(places: range, n: int, seed: int) -> list[int]:
    """Indices at places that are counted from the first of the first epoch."""
    orders = {epoch: _order(epoch, n, seed) for epoch in {place // n for place in places}}
    return [orders[place // n][place % n] for place in places]


def _order(epoch: int, n: int, seed: int) -> list[int]:
    return torch.randperm(n, generator=torch.Generator().manual_seed(seed * 1_000_033 + epoch)).tolist()
