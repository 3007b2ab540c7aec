"""From files to networks: strict, built on the meta device, tensors assigned in place, no second copy in memory."""

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import TypeVar

import torch
from torch import Tensor, nn

from ..adapters.control.network import ControlNet
from ..config import ControlConfig
from ..model import S3DiT
from ..text import Qwen3
from ..vae import Autoencoder
from ..vision import Siglip2
from .formats.packed import Packed, Value
from .identify.parts import CONTROL, DIT, TEXT_ENCODER, VAE, VISION
from .identify.shapes import control_config, dit_config, text_config, vae_config, vision_config
from .weights import Source, Weights, open_part

Network = TypeVar("Network", bound=nn.Module)


def load_dit(source: Source, dtype: torch.dtype | None = None) -> S3DiT:
    """The diffusion transformer of a file, folder or state dict in any published layout, prefix and quantisation.

    `dtype` None keeps the file's own; packed weights and 8-bit floats become bfloat16. Raises `CheckpointError` with
    one clear sentence.
    """
    weights = open_part(source, DIT)
    return assign(S3DiT(weights.config(dit_config), device="meta"), weights, dtype)


def load_text_encoder(source: Source, dtype: torch.dtype | None = None) -> Qwen3:
    """The Qwen3 text encoder; the last layer and the final norm are never read into memory."""
    weights = open_part(source, TEXT_ENCODER)
    config = weights.config(text_config)
    used = weights.without(f"model.layers.{config.n_layers_run}.")
    return assign(Qwen3(config, device="meta"), used, dtype)


def load_vae(source: Source, dtype: torch.dtype | None = None) -> Autoencoder:
    """The autoencoder, float32 or bfloat16; float16 overflows in the published weights."""
    weights = open_part(source, VAE)
    return assign(Autoencoder(weights.config(vae_config), device="meta"), weights, dtype)


def load_control(source: Source, dtype: torch.dtype | None = None) -> ControlNet:
    """A Fun ControlNet of any release: 1.0, 2.0, 2.1 or 2.1 lite."""
    weights, config = used_control(open_part(source, CONTROL))
    return assign(ControlNet(config, device="meta"), weights, dtype)


def used_control(weights: Weights) -> tuple[Weights, ControlConfig]:
    """A ControlNet's widths, and its tensors without the refiner that 2.0 carries idle: a projection of it is zeros."""
    config = weights.config(control_config)
    projections = [weights.values.get(f"control_noise_refiner.0.{name}_proj.weight") for name in ("before", "after")]
    is_idle = any(isinstance(each, Tensor) and not each.float().any() for each in projections)
    if config.refiner == "control_noise_refiner" and is_idle:
        config = replace(config, refiner="control_layers", n_refiner_layers=0)
    if config.refiner == "control_layers":
        weights = weights.without("control_noise_refiner.")
    return weights, config


def load_vision(source: Source, dtype: torch.dtype | None = None) -> Siglip2:
    """The SigLIP 2 tower, alone or out of a file with its text side; the pooling head is never read into memory."""
    weights = open_part(source, VISION)
    return assign(Siglip2(weights.config(vision_config), device="meta"), weights, dtype)


def assign(network: Network, weights: Weights, dtype: torch.dtype | None) -> Network:
    """Give a network built on the meta device its tensors; every key and every shape must fit."""
    weights.check_fits(network)
    target = dtype or compute_dtype(weights.values)
    state: dict[str, Tensor] = {}
    for block in weights.blocks(network, lambda key, value, shape: {key: cast(value, target, shape)}):
        state.update(block)
    network.load_state_dict(state, assign=True)
    return network.requires_grad_(False).eval()


def cast(value: Value, dtype: torch.dtype, shape: tuple[int, ...]) -> Tensor:
    """A weight's values in one type; those that have it already stay where they are."""
    return value.unpack(dtype, shape) if isinstance(value, Packed) else value.to(dtype)


def compute_dtype(values: Mapping[str, Value]) -> torch.dtype:
    """The type most of a file's values have; packed weights and 8-bit floats only store and compute in bfloat16."""
    sizes: dict[torch.dtype, int] = {}
    for value in values.values():
        dtype = value.dtype if isinstance(value, Tensor) and value.dtype.itemsize > 1 else torch.bfloat16
        sizes[dtype] = sizes.get(dtype, 0) + math.prod(value.shape)
    return max(sizes, key=lambda each: sizes[each], default=torch.bfloat16)
