"""What `zimage train` says of memory before it takes any: a line before encoding and one before training."""

import sys
from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import torch

from ..checkpoints import DIT, open_network
from ..recipes import FullConfig, TrainingConfig
from ..request import default_size, model_folder
from ..runtime.offload.plan import size_text
from ..training.distributed import Processes
from ..training.flow_training import FlowMatching, TrainingSet
from ..training.memory.batch import largest_batch
from ..training.memory.encoding import autoencoder_bytes, encoding_bytes
from ..training.memory.plan import Planned, TrainingPlan, training_plan
from ..training.memory.remedies import machine_of, told
from .machine import device_of, dtype_of


@runtime_checkable
class StageInMemory(Protocol):
    """What of a stage takes memory."""

    @property
    def config(self) -> TrainingConfig: ...
    @property
    def dataset(self) -> TrainingSet: ...
    @property
    def step_of(self) -> FlowMatching: ...


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


def tell_training(stages: Sequence[StageInMemory]) -> None:
    """How much the stage takes that takes most."""
    device = device_of(stages[0].config.device)
    plan = max((plan_of_stage(each, device) for each in stages), key=peak_of)
    say(told(plan, machine_of(device)))


def plan_of_stage(stage: StageInMemory, device: torch.device) -> TrainingPlan:
    """The plan of one stage."""
    config, model = stage.config, model_folder(stage.config.model)
    dtype = dtype_of(config.dtype, device)
    return training_plan(
        Planned(
            network=open_network(model / "transformer", DIT).config,
            dtype=torch.float32 if isinstance(config, FullConfig) else dtype,
            config=config,
            batch=largest_batch(stage.dataset, stage.step_of),
            beside=autoencoder_bytes(model, dtype) if config.previews else 0,
        )
    )


def peak_of(plan: TrainingPlan) -> int:
    """What plans are compared by."""
    return plan.peak


def say(line: str) -> None:
    """On standard error, where progress is, too."""
    print(f"memory: {line}", file=sys.stderr)
