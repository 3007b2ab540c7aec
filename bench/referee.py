"""The exact answer all results are held against: the same work in float32 on the same weights.

By diffusers and transformers, which share no code with ours. Where diffusers is not installed it is our own network
with its plain kernels: then only rounding shows, and the table says so.
"""

import importlib.util

import torch
from torch import Tensor

from zimage_core.kernels import PLAIN, use_kernels

from .precision import without_tf32
from .random_weights import Inputs, Weights, Widened
from .systems.ours import Ours


def is_independent() -> bool:
    """Whether the referee is another implementation."""
    return importlib.util.find_spec("diffusers") is not None


def describe() -> str:
    """Who the referee is."""
    return (
        "diffusers and transformers" if is_independent() else "ours with plain kernels, as diffusers is not installed"
    )


@torch.inference_mode()
def exact_result(inputs: Inputs, weights: Weights) -> Tensor | None:
    """None for whole pictures: with random weights eight steps amplify any rounding, and the distance says nothing."""
    if inputs.cell.part == "picture":
        return None
    wide = inputs.cast(torch.float32)
    with without_tf32():
        return _by_peers(wide, weights) if is_independent() else _by_ours(wide, weights)


def _by_peers(inputs: Inputs, weights: Weights) -> Tensor:
    from .systems.diffusers import Diffusers

    system = Diffusers(Widened(weights))
    run = system.exact_text if inputs.cell.part == "text" else getattr(system, inputs.cell.part)
    return run(inputs)()


def _by_ours(inputs: Inputs, weights: Weights) -> Tensor:
    with use_kernels(PLAIN):
        return getattr(Ours(Widened(weights)), inputs.cell.part)(inputs)()
