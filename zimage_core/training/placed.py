"""The network that is trained, as it is loaded and where it is: on the device whole, or with layers that stream."""

from collections.abc import Generator
from contextlib import contextmanager

import torch

from ..checkpoints import load_dit
from ..checkpoints.load import Source
from ..model import S3DiT
from ..model.condition import RunBlock
from ..quant import SCHEMES, quantize_layers
from ..recipes import LoraConfig, TrainingConfig
from ..runtime.offload.machine_memory import free_ram
from ..runtime.offload.plan import ARENA_SHARE
from ..runtime.offload.streaming import stream
from .distributed import ONE_PROCESS, Processes
from .objectives.compiled_blocks import refuse_uncompilable
from .objectives.streamed_blocks import streamed_blocks


def load_base(source: Source, config: TrainingConfig, dtype: torch.dtype) -> S3DiT:
    """The network of a file, in RAM; a frozen base with 8-bit layers where the config says so."""
    dit = load_dit(source, dtype)
    if isinstance(config, LoraConfig) and config.quantize:
        quantize_layers(dit, SCHEMES[config.quantize])
    return dit


def refuse_streaming(config: TrainingConfig, n_layers: int) -> None:
    """Raise ValueError where more layers are to stream than a network has, or than may."""
    n_streamed = config.stream if isinstance(config, LoraConfig) else 0
    if n_streamed > n_layers:
        raise ValueError(f"stream = {n_streamed} is more than the model's {n_layers} layers; choose at most those")
    if n_streamed and config.compile:
        raise ValueError(f"{n_streamed} layers are to stream, and such are not compiled; leave compile or stream away")


def refuse_compiling(config: TrainingConfig, device: torch.device, n_processes: int = 1) -> None:
    """Raise ValueError where blocks are to be compiled, and cannot be."""
    if config.compile and n_processes > 1:
        raise ValueError("blocks are compiled in one process only; several divide them instead, so leave compile away")
    if config.compile:
        refuse_uncompilable(device)


@contextmanager
def placed(
    dit: S3DiT, config: TrainingConfig, device: torch.device, processes: Processes = ONE_PROCESS
) -> Generator[RunBlock | None]:
    """The network on the device for the length of a `with` block, as the config says.

    Yields how its blocks run, None where nothing streams. Raises ValueError where more is to stream than there is.
    """
    n_streamed = config.stream if isinstance(config, LoraConfig) else 0
    if not n_streamed:
        processes.place(dit, device)
        yield None
        return
    refuse_streaming(config, len(dit.layers))
    if processes.count > 1:
        raise ValueError("layers stream in one process only; several divide the base instead, so leave stream away")
    resident, arena_limit = len(dit.layers) - n_streamed, free_ram() // ARENA_SHARE
    with stream(dit, device, resident=resident, arena_limit=arena_limit) as blocks, blocks.preparing():
        yield streamed_blocks(blocks)
