"""The reference result: the same workload in float32 with the same weights.

Computed by diffusers and transformers, which share no code with this pack. Without diffusers it is our own network
with plain kernels; then only rounding errors can be detected, and the report says so.
"""

import importlib.util

import torch
from torch import Tensor

from zimage_core.kernels import PLAIN, use_kernels

from .precision import without_tf32
from .random_weights import Float32Weights, Inputs, Weights
from .systems.ours import Ours


def is_independent() -> bool:
    """Whether the reference comes from another implementation."""
    return importlib.util.find_spec("diffusers") is not None


def describe_reference() -> str:
    """Which implementation computes the reference."""
    return (
        "diffusers and transformers" if is_independent() else "ours with plain kernels, as diffusers is not installed"
    )


@torch.inference_mode()
def reference_result(inputs: Inputs, weights: Weights) -> Tensor | None:
    """The float32 result; None for whole pictures, where eight steps with random weights amplify rounding errors."""
    if inputs.workload.part == "picture":
        return None
    wide = inputs.cast(torch.float32)
    with without_tf32():
        return _by_diffusers(wide, weights) if is_independent() else _by_this_pack(wide, weights)


def _by_diffusers(inputs: Inputs, weights: Weights) -> Tensor:
    from .systems.diffusers import Diffusers

    system = Diffusers(Float32Weights(weights))
    run = system.unpadded_text if inputs.workload.part == "text" else getattr(system, inputs.workload.part)
    return run(inputs)()


def _by_this_pack(inputs: Inputs, weights: Weights) -> Tensor:
    with use_kernels(PLAIN):
        return getattr(Ours(Float32Weights(weights)), inputs.workload.part)(inputs)()
