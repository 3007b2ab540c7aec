"""What a training run on the canvas takes of memory: told on the node, and kept within what there is by streaming."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from comfy_execution.utils import get_executing_context

from .....zimage_core.checkpoints import DIT, open_network
from .....zimage_core.recipes import TrainingConfig
from .....zimage_core.training.flow_training import TrainingSet
from .....zimage_core.training.memory.plan import largest_plan
from .....zimage_core.training.memory.remedies import machine_of, of_machine, streamed
from ...loading import page_events

EVENT = "zimage.memory"  # js/zimage/runs/memory.mjs waits for it


def within_memory(
    file: Path, stages: Sequence[tuple[TrainingConfig, TrainingSet]], device: torch.device, dtype: torch.dtype
) -> TrainingConfig:
    """The first stage's config, with as many streamed layers as the device's memory asks for, as ComfyUI has it."""
    plan, machine = largest_plan(open_network(file, DIT).config, stages, dtype), machine_of(device)
    if machine and machine.kind != "cpu" and plan.peak > machine.budget:
        made = streamed(plan, machine.budget)
        plan = made.plan if made else plan
    show([plan.total, *plan.parts, *of_machine(plan, machine)])
    config, base = stages[0][0], plan.planned.base
    return replace(config, stream=base.stream) if base else config


def show(lines: Sequence[str]) -> None:
    """On the node that runs, until it runs again."""
    if running := get_executing_context():
        page_events.send(EVENT, {"node": running.node_id, "text": "\n".join(lines)})
