"""Where a language model computes: whole on a device, or with as many of its layers streamed as a memory limit asks.

    with placed(model, torch.device("cuda"), memory_limit=3_000_000_000) as model:
        writer = Writer(model, prompt, GREEDY, seed=0)

Every new token copies every streamed layer once, so writing is then as slow as the copies are.
"""

from collections.abc import Generator, Set
from contextlib import AbstractContextManager, contextmanager

import torch
from torch import Tensor

from ..runtime.offload.copy_streams import SLOTS, CopyStream, copy_stream_for
from ..runtime.offload.device_scope import named_tensors, tensors_on_device
from ..runtime.offload.layer_stream import stream_layers
from ..runtime.offload.machine_memory import measure_machine
from ..runtime.offload.partition import spread_evenly
from ..runtime.offload.plan import size_text
from ..runtime.offload.plan_inputs import PlanError
from ..text.qwen3 import DecoderLayer
from .language_model import LanguageModel

CONTEXT = 4096  # tokens whose keys and values room is left for


def placed(
    model: LanguageModel, device: torch.device, memory_limit: int | None = None
) -> AbstractContextManager[LanguageModel]:
    """A model in CPU memory, run on a device; `memory_limit` is in bytes of the device, of RAM on "cpu".

    Raises `PlanError` where not even two layers fit at a time, or where the limit is RAM's: there is no other memory.
    """
    count = len(model.layers)
    if memory_limit is not None:
        budget = measure_machine(device, memory_limit).budget
        count = resident_layers(model, budget, can_stream=device.type != "cpu")
    return streamed(model, device, resident=count)


def resident_layers(model: LanguageModel, budget: int, *, can_stream: bool) -> int:
    """How many layers stay on a device with `budget` bytes for layers, keys and values; all where they fit."""
    sizes = [sum(tensor.nbytes for tensor in streamed_tensors(layer)) for layer in model.layers]
    left = budget - cache_bytes(model)
    if sum(sizes) <= left:
        return len(sizes)
    if not can_stream:
        raise PlanError(f"writing needs {size_text(sum(sizes) + budget - left)} of RAM; choose a smaller file of it")
    resident = (left - SLOTS * max(sizes)) // max(sizes)
    if resident < 0:
        needed = SLOTS * max(sizes) + budget - left
        raise PlanError(f"writing with streamed blocks needs {size_text(needed)}; the limit leaves {size_text(budget)}")
    return min(resident, len(sizes) - SLOTS)


def cache_bytes(model: LanguageModel) -> int:
    """Keys and values of `CONTEXT` tokens in the precision of the norms, which is that of activations."""
    config = model.encoder.config
    itemsize = model.head.model.norm.weight.itemsize
    return 2 * config.n_layers * config.n_kv_heads * config.head_dim * CONTEXT * itemsize


@contextmanager
def streamed(
    model: LanguageModel,
    device: torch.device | str,
    *,
    resident: int,
    arena_limit: int | None = None,
    copy_stream: CopyStream | None = None,
) -> Generator[LanguageModel, None, None]:
    """The same weights, run on a device with `resident` layers kept there; the embedding table stays where it is."""
    device, layers = torch.device(device), model.layers
    if not 0 <= resident <= len(layers):
        raise ValueError(f"{resident} resident layers were asked for; the model has {len(layers)}")
    chosen = [layers[index] for index in spread_evenly(len(layers), len(layers) - resident)]
    moved = [(layer, streamed_tensors(layer)) for layer in chosen]
    kept = _others(model, {id(tensor) for _, tensors in moved for tensor in tensors})
    stream = stream_layers(moved, device, arena_limit, copy_stream or copy_stream_for(device))
    with tensors_on_device(kept, device), stream as on_device:

        def run(layer: DecoderLayer, x: Tensor, *rest: object) -> Tensor:
            with on_device.on_device(layer):
                return layer(x, *rest)

        yield LanguageModel(model.encoder, model.head, run)


def streamed_tensors(layer: DecoderLayer) -> list[Tensor]:
    """A layer's tensors but its norms, which are small and stay on the device."""
    return [tensor for name, tensor in named_tensors(layer) if "norm" not in name]


def _others(model: LanguageModel, streamed: Set[int]) -> list[Tensor]:
    """All tensors of layers and of the final norm that are not streamed."""
    modules = (*model.layers, model.head.model.norm)
    return [tensor for module in modules for _, tensor in named_tensors(module) if id(tensor) not in streamed]
