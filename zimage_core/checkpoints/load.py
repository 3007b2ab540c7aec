"""From files to networks: strict, built on the meta device, tensors assigned in place, no second copy in memory."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

import torch
from torch import Tensor, nn

from ..adapters.control.network import ControlNet
from ..model import S3DiT
from ..tensor_bytes import DTYPE_NAMES
from ..text import Qwen3
from ..vae import Autoencoder
from ..vision import Siglip2
from .formats.errors import CheckpointError, one_line
from .formats.files import Read, headers_of, read_files, read_safetensors
from .formats.header import TensorEntry
from .formats.packed import PackedWeight, StoredTensor
from .formats.quantized import group_packed
from .identify.inspect import identify, identify_headers
from .networks import CONTROL, DIT, TEXT_ENCODER, VAE, VISION, AnyNetwork, NetworkSpec
from .weights import Weights

Source = str | Path | Mapping[str, Tensor]  # a file, one shard, a folder, a diffusers pipeline or a state dict
Config = TypeVar("Config")
Module = TypeVar("Module", bound=nn.Module)


def load_dit(source: Source, dtype: torch.dtype | None = None) -> S3DiT:
    """The diffusion transformer of a file, folder or state dict in any published layout, prefix and quantization.

    `dtype` None keeps the file's own; packed weights and 8-bit floats become bfloat16. Raises `CheckpointError` with
    one clear sentence. So do the other loaders.
    """
    return load_network(source, DIT, dtype)


def load_text_encoder(source: Source, dtype: torch.dtype | None = None) -> Qwen3:
    """The Qwen3 text encoder; the last layer and the final norm never run and are left out."""
    return load_network(source, TEXT_ENCODER, dtype)


def load_vae(source: Source, dtype: torch.dtype | None = None) -> Autoencoder:
    """The autoencoder, float32 or bfloat16; float16 overflows in the published weights."""
    return load_network(source, VAE, dtype)


def load_vision(source: Source, dtype: torch.dtype | None = None) -> Siglip2:
    """The SigLIP 2 vision encoder, alone or from a file with its text side; the pooling head is never read."""
    return load_network(source, VISION, dtype)


def load_control(source: Source, dtype: torch.dtype | None = None) -> ControlNet:
    """A Fun ControlNet of any release: 1.0, 2.0, 2.1 or 2.1 lite."""
    return load_network(source, CONTROL, dtype)


def load_network(source: Source, network: NetworkSpec[Config, Module], dtype: torch.dtype | None) -> Module:
    """A network with a file's weights, in evaluation mode and without gradients."""
    opened = open_network(source, network)
    target = dtype or opened.weights.compute_dtype()
    state: dict[str, Tensor] = {}
    for block in opened.weights.blocks(opened.skeleton, lambda key, tensor, shape: {key: cast(tensor, target, shape)}):
        state.update(block)
    opened.skeleton.load_state_dict(state, assign=True)
    return opened.skeleton.requires_grad_(False).eval()


def cast(tensor: StoredTensor, dtype: torch.dtype, shape: tuple[int, ...]) -> Tensor:
    """A tensor's values in one type and shape; a plain tensor of that type is returned itself, without a copy."""
    return tensor.unpack(dtype, shape) if isinstance(tensor, PackedWeight) else tensor.to(dtype)


@dataclass(frozen=True)
class OpenedNetwork(Generic[Config, Module]):
    """A network found in a file, its weights not yet read into memory."""

    config: Config
    weights: Weights  # exactly those of the skeleton
    skeleton: Module  # the network on the meta device, with every parameter's name and shape


def open_network(
    source: Source, network: NetworkSpec[Config, Module], read: Read = read_safetensors
) -> OpenedNetwork[Config, Module]:
    """Find a network in a file and check that the file's tensors fit it; anything else is refused by name."""
    weights = open_weights(source, network, read)
    config = network.correct_config(_read_config(weights, network), weights.tensors)
    if unused := network.unused(config):
        weights = weights.without(*unused)
    skeleton = network.build(config, device="meta")
    weights.check_fits(skeleton)
    return OpenedNetwork(config, weights, skeleton)


def open_weights(source: Source, network: AnyNetwork, read: Read) -> Weights:
    """A network's tensors in a file, memory-mapped, without the prefix and without those no network uses."""
    metadata: dict[str, str] = {}
    wanted = network.part_of or network
    if isinstance(source, Mapping):
        file, tensors = "the state dict", dict[str, StoredTensor](source)
        identify({key: _entry(tensor) for key, tensor in source.items()}, metadata, file).require(
            network.part_of or network
        )
    else:
        file, headers = Path(source).name, headers_of(network.path_in(Path(source)))
        identify_headers(list(headers.values()), file).require(wanted)
        for header in headers.values():
            metadata.update(header.metadata)
        tensors = read_files(headers, read)
    located = network.locate(tensors.keys())
    assert located is not None  # `require` has made sure of it
    prefix, layout = located
    inside = {key.removeprefix(prefix): tensor for key, tensor in tensors.items() if key.startswith(prefix)}
    plain = {key: tensor for key, tensor in inside.items() if isinstance(tensor, Tensor)}
    packed = {key: tensor for key, tensor in inside.items() if isinstance(tensor, PackedWeight)}
    weights = Weights(file, layout, {**packed, **group_packed(plain, metadata, prefix, file)})
    weights = weights.without(*network.ignored)
    weights.check_plausible()
    return weights


def _read_config(weights: Weights, network: NetworkSpec[Config, Module]) -> Config:
    """The network's widths; a file they cannot be read from is refused."""
    shapes = weights.shapes()
    if network.depth is not None and (fault := network.depth({key: each.shape for key, each in shapes.items()}).fault):
        raise CheckpointError(f"{weights.file} {fault}")
    try:
        return network.read_config(shapes)
    except KeyError as error:
        raise CheckpointError(f"{weights.file} lacks the tensor {error}; download it again") from error
    except (ValueError, TypeError, IndexError, ZeroDivisionError) as error:
        raise CheckpointError(
            f"{weights.file} has tensors of shapes no such network has ({one_line(error)}); download it again"
        ) from error


def _entry(tensor: Tensor) -> TensorEntry:
    return TensorEntry(DTYPE_NAMES.get(tensor.dtype, str(tensor.dtype)), tuple(tensor.shape))
