"""The memory plan of one run of `generate`, from the headers of the model's files: no weight is read for it."""

import math
from collections.abc import Sequence
from pathlib import Path

import torch
from PIL import Image

from .checkpoints import DIT, TEXT_ENCODER, VAE, VISION, open_network
from .model.sequence import padded_length
from .quant import Scheme
from .request import Request, has_vision
from .runtime.byte_counts import EIGHT_BIT, Precision, decoder_bytes
from .runtime.offload.machine_memory import measure_machine
from .runtime.offload.plan import Plan, make_plan, size_text
from .runtime.offload.plan_inputs import DTYPES, Machine, Networks, Picture, PlanError
from .text import PromptTokens
from .vae import crop_to_patches, encode_budget_bytes
from .vision import grid_of

PIXELS_PER_TOKEN = 16  # along a side: 8 of a latent cell, 2 cells of a patch


def plan_run(request: Request, memory_limit: int) -> Plan:
    """The plan that keeps a run within `memory_limit` bytes of its device. Raises `PlanError` where there is none.

    8-bit weights are planned only if the request's scheme permits them, and only where the exact ones do not fit.
    """
    machine = measure_machine(request.device, memory_limit)
    networks = networks_of(request.folder, _precision_of(request.dtype))
    references, (width, height) = request.references, request.size
    if references:
        _check_reference_memory(request.folder, references, networks, machine)
    picture = Picture(
        width=width,
        height=height,
        caption_tokens=max(map(_caption_tokens, request.prompts)),
        reference_tokens=_reference_tokens(request.folder, references) if references else 0,
    )
    return make_plan(networks, picture, machine, (_precision_of_scheme(request.scheme),) if request.scheme else ())


def networks_of(folder: Path, precision: Precision) -> Networks:
    """The widths of a folder's networks, to be loaded in one precision."""
    return Networks(
        transformer=open_network(folder / "transformer", DIT).config,
        text=open_network(folder / "text_encoder", TEXT_ENCODER).config,
        autoencoder=open_network(folder / "vae", VAE).config,
        layers=precision,
        rest=precision,
        text_precision=precision,
        autoencoder_precision=precision,
    )


def _precision_of(dtype: torch.dtype) -> Precision:
    for precision, each in DTYPES.items():
        if each == dtype:
            return precision
    raise PlanError(f"a memory limit can be kept in {', '.join(map(str, DTYPES.values()))}, not in {dtype}")


def _precision_of_scheme(scheme: Scheme) -> Precision:
    for precision in EIGHT_BIT:
        if scheme.name.startswith(precision):
            return precision
    raise PlanError(f"a memory limit can be kept with {' or '.join(EIGHT_BIT)}, not with {scheme.name}")


def _caption_tokens(chunks: Sequence[PromptTokens]) -> int:
    """Tokens of a prompt's chunks: the text encoder pads them to the longest, the transformer to a multiple of 32."""
    return len(chunks) * padded_length(max(len(chunk.ids) for chunk in chunks))


def _reference_tokens(folder: Path, references: Sequence[Image.Image]) -> int:
    """Tokens of all references: latent patches and, where the transformer reads them, vision features and the pads that
    stand for the target's.
    """
    sizes = [crop_to_patches(reference).size for reference in references]
    latents = sum(padded_length(width * height // PIXELS_PER_TOKEN**2) for width, height in sizes)
    if not has_vision(folder):
        return latents
    config = open_network(folder / "siglip", VISION).config
    grids = [grid_of(each.height, each.width, config.n_positions, config.patch_size) for each in references]
    return latents + padded_length(1) + sum(padded_length(math.prod(grid)) for grid in grids)


def _check_reference_memory(
    folder: Path, references: Sequence[Image.Image], networks: Networks, machine: Machine
) -> None:
    """References are encoded on the CPU, so what that takes must fit into RAM."""
    precision = networks.autoencoder_precision
    dtype, vae = DTYPES[precision], networks.autoencoder
    vision = open_network(folder / "siglip", VISION).weights.n_parameters if has_vision(folder) else 0
    sizes = [crop_to_patches(reference).size for reference in references]
    cells = max((height // vae.downscale, width // vae.downscale) for width, height in sizes)
    autoencoder = 2 * decoder_bytes(vae, precision)  # the encoder has fewer weights than the decoder
    needed = vision * dtype.itemsize + autoencoder + encode_budget_bytes(vae, cells, dtype)
    if needed > machine.free_ram:
        raise PlanError(
            f"encoding the references needs {size_text(needed)} of main memory, {size_text(machine.free_ram)} may be "
            "used: choose smaller references, or close other programs"
        )
