"""What `zimage train` says of memory before it takes any: a line before encoding and one before training."""

import sys
from collections.abc import Callable, Sequence

import torch

from ..checkpoints import DIT, open_network
from ..recipes import DistillationConfig, PreferenceConfig, TrainingConfig
from ..request import default_size, model_folder
from ..runtime.offload.plan import size_text
from ..training.distributed import Processes
from ..training.flow_training import TrainingSet
from ..training.memory.encoding import autoencoder_bytes, encoding_bytes
from ..training.memory.plan import largest_plan
from ..training.memory.remedies import machine_of, told
from ..training.memory.roles_plan import RolesPlan
from .machine import device_of, dtype_of


def device_of_captions(config: TrainingConfig, processes: Processes) -> torch.device:
    """Where captions are encoded: on the CPU where the encoders together are too large for the device."""
    device = device_of(config.device)
    side = config.side or default_size(config.model, ())[0]
    needed, machine = (
        encoding_bytes(model_folder(config.model), side, dtype_of(config.dtype, device)),
        machine_of(device),
    )
    is_too_large = machine is not None and machine.kind != "cpu" and needed > machine.budget
    if processes.is_first:
        free = f"; {size_text(machine.budget)} are free" if machine else ""
        instead = ". That does not fit: captions are encoded on the CPU" if is_too_large else ""
        say(f"encoding takes {size_text(needed)}{free}{instead}")
    return torch.device("cpu") if is_too_large else device


def tell_training(first: TrainingConfig, stages: Sequence[tuple[TrainingConfig, TrainingSet]]) -> None:
    """How much the stage takes that takes most; model and device are the first's."""
    model, device = model_folder(first.model), device_of(first.device)
    dtype, network = dtype_of(first.dtype, device), open_network(model / "transformer", DIT).config
    say(told(largest_plan(network, stages, dtype, autoencoder_bytes(model, dtype)), machine_of(device)))


def tell_roles(config: DistillationConfig | PreferenceConfig, plan_of: Callable[..., RolesPlan]) -> None:
    """How much is taken where LoRAs learn as roles of one base."""
    model, device = model_folder(config.model), device_of(config.device)
    dtype, network = dtype_of(config.dtype, device), open_network(model / "transformer", DIT).config
    say(plan_of(network, dtype, config, decoder=autoencoder_bytes(model, dtype)).told(machine_of(device)))


def say(line: str) -> None:
    """On standard error, where progress is, too."""
    print(f"memory: {line}", file=sys.stderr)
