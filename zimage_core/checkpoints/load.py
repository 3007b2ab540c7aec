"""From files to networks: strict, built on the meta device, tensors assigned in place, no second copy in memory."""

from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor, nn

from ..model import S3DiT
from ..text import Qwen3
from ..vae import Autoencoder
from .files import CheckpointError, read_tensors
from .parts import DIT, TEXT_ENCODER, VAE, Part
from .shapes import dit_config, text_config, vae_config

Source = str | Path | Mapping[str, Tensor]
Network = TypeVar("Network", bound=nn.Module)


def load_dit(source: Source, dtype: torch.dtype | None = None) -> S3DiT:
    """The diffusion transformer of a file, folder or state dict in any published layout and under any published prefix.

    `dtype` None keeps the file's own (8-bit floats become bfloat16). Raises `CheckpointError` with one clear sentence.
    """
    state = part_state(source, DIT, "transformer")
    return assign(S3DiT(dit_config(state), device="meta"), state, dtype, name_of(source))


def load_text_encoder(source: Source, dtype: torch.dtype | None = None) -> Qwen3:
    """The Qwen3 text encoder; the last layer and the final norm are never read into memory."""
    state = part_state(source, TEXT_ENCODER, "text_encoder")
    config = text_config(state)
    used = {key: tensor for key, tensor in state.items() if not key.startswith(f"model.layers.{config.n_layers_run}.")}
    return assign(Qwen3(config, device="meta"), used, dtype, name_of(source))


def load_vae(source: Source, dtype: torch.dtype | None = None) -> Autoencoder:
    """The autoencoder, float32 or bfloat16; float16 overflows in the published weights."""
    state = part_state(source, VAE, "vae")
    return assign(Autoencoder(vae_config(state), device="meta"), state, dtype, name_of(source))


def part_state(source: Source, part: Part, subfolder: str) -> dict[str, Tensor]:
    """A part's tensors under our own names. A diffusers folder is entered at `subfolder`."""
    if isinstance(source, Mapping):
        return part.extract(source, name_of(source))
    path = Path(source)
    return part.extract(read_tensors(path / subfolder if (path / subfolder).is_dir() else path), name_of(source))


def name_of(source: Source) -> str:
    """What to call a source in a sentence."""
    return "the state dict" if isinstance(source, Mapping) else Path(source).name


def assign(network: Network, state: Mapping[str, Tensor], dtype: torch.dtype | None, name: str) -> Network:
    """Give a network built on the meta device its tensors; every key and every shape must fit."""
    check_fits(network, state, name)
    target = dtype or compute_dtype(state)
    network.load_state_dict({key: tensor.to(target) for key, tensor in state.items()}, assign=True)
    return network.requires_grad_(False).eval()


def check_fits(network: nn.Module, state: Mapping[str, Tensor], name: str) -> None:
    """Raise a `CheckpointError` that names the first keys that are missing, unknown or of another shape."""
    wanted = network.state_dict()
    faults: tuple[tuple[str, list[str]], ...] = (
        ("missing", sorted(wanted.keys() - state.keys())),
        ("unknown", sorted(state.keys() - wanted.keys())),
        (
            "of unexpected shape",
            sorted(key for key in wanted.keys() & state.keys() if wanted[key].shape != state[key].shape),
        ),
    )
    found = [
        f"{len(keys)} {fault} ({', '.join(keys[:3])}{', …' if len(keys) > 3 else ''})" for fault, keys in faults if keys
    ]
    if found:
        raise CheckpointError(
            f"{name} does not fit the network its shapes describe: {'; '.join(found)}. "
            "It may be damaged, quantised in an unknown way, or of another model; download the original file"
        )


def compute_dtype(state: Mapping[str, Tensor]) -> torch.dtype:
    """The type most of a file's values have; 8-bit floats only store, so they compute in bfloat16."""
    sizes: dict[torch.dtype, int] = {}
    for tensor in state.values():
        sizes[tensor.dtype] = sizes.get(tensor.dtype, 0) + tensor.numel()
    dtype = max(sizes, key=lambda each: sizes[each])
    return dtype if dtype.itemsize > 1 else torch.bfloat16
