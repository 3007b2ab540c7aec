"""What would make a run fit that does not: the settings that take less memory, exact ones first."""

import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import NamedTuple

import torch

from ...recipes import LoraConfig
from ...runtime.offload.copy_streams import SLOTS
from ...runtime.offload.machine_memory import measure_machine
from ...runtime.offload.plan import FEWEST_STREAMED, size_text
from ...runtime.offload.plan_inputs import Machine, PlanError
from .batch import Batch
from .plan import TrainingPlan, streamed_plan, training_plan

SMALLEST_RANK = 4


class Remedy(NamedTuple):
    """A plan of other settings, and which these are, in the words of a recipe."""

    words: str
    plan: TrainingPlan


Change = Callable[[TrainingPlan, int], Remedy | None]  # of a plan and the bytes that are free; None: nothing to change


def machine_of(device: torch.device) -> Machine | None:
    """The machine a device belongs to; None where its free memory cannot be told."""
    try:
        return measure_machine(device, sys.maxsize)
    except PlanError:
        return None


def told(plan: TrainingPlan, machine: Machine | None) -> str:
    """The plan in one line, beside the bytes that are free; where it does not fit, what would."""
    return in_one_line(plan, of_machine(plan, machine))


def in_one_line(plan: object, beside: Sequence[str]) -> str:
    """A plan, what is free, and what would make it fit."""
    return ". ".join(["; ".join([str(plan), *beside[:1]]), *beside[1:]])


def of_machine(plan: TrainingPlan, machine: Machine | None) -> list[str]:
    """What is free, where that can be told; and where it is not enough, what would make the run fit."""
    return what_is_free(plan.peak, machine, partial(_fitting, plan))


def _fitting(plan: TrainingPlan, machine: Machine) -> list[str]:
    return [f"{each.words} ({size_text(each.plan.peak)})" for each in remedies(plan, machine)]


def what_is_free(peak: int, machine: Machine | None, fitting: Callable[[Machine], Sequence[str]]) -> list[str]:
    """The bytes that are free, where they can be told; where `peak` is more, the changes that are `fitting`, if any."""
    if machine is None:
        return []
    free = f"{size_text(machine.budget)} are free"
    if peak <= machine.budget:
        return [free]
    found = fitting(machine)
    would = f"it would with {', or '.join(found)}" if found else "no setting but smaller pictures (side) helps"
    return [free, f"That does not fit: {would}"]


def remedies(plan: TrainingPlan, machine: Machine) -> list[Remedy]:
    """Each single change after which a run fits; where none is enough, the fewest in their order."""
    free = machine.budget
    changes = [each for each in CHANGES if each is not streamed or machine.kind != "cpu"]
    found = [(change, made) for change in changes if (made := change(plan, free))]
    single = [made for _, made in found if made.plan.peak <= free]
    if single or not found:
        return single
    first, *others = found
    return _together(first[1], free, [change for change, _ in others])


def _together(made: Remedy, free: int, changes: list[Change]) -> list[Remedy]:
    """One change after another, until a run fits."""
    for change in changes:
        if made.plan.peak > free and (more := change(made.plan, free)):
            made = Remedy(f"{made.words} and {more.words}", more.plan)
    return [made] if made.plan.peak <= free else []


def computed_again(plan: TrainingPlan, free: int) -> Remedy | None:
    """Without the activations of blocks."""
    planned = plan.planned
    if not planned.config.keep_activations:
        return None
    config = replace(planned.config, keep_activations=False)
    return Remedy("keep_activations = false", training_plan(replace(planned, config=config)))


def one_at_a_time(plan: TrainingPlan, free: int) -> Remedy | None:
    """A budget of tokens for one example."""
    planned, [first, *others] = plan.planned, plan.planned.batch.group
    if not others:
        return None
    config = replace(planned.config, token_budget=first.tokens)
    batch = Batch([first], has_others=True)
    return Remedy(f"token_budget = {first.tokens}", training_plan(replace(planned, config=config, batch=batch)))


def streamed(plan: TrainingPlan, free: int) -> Remedy | None:
    """As few layers as are enough, or all."""
    base, n_layers = plan.planned.base, plan.planned.network.n_layers
    if base is None or base.stream or n_layers < FEWEST_STREAMED:
        return None
    kept = streamed_plan(plan, 0)
    needed = math.ceil((kept.peak - free) / plan.layer) + SLOTS
    count = min(n_layers, max(FEWEST_STREAMED, needed + needed % 2))  # even: a block then always gets the same slot
    return Remedy(f"stream = {count}", streamed_plan(plan, count))


def quantized(plan: TrainingPlan, free: int) -> Remedy | None:
    """8-bit layers, which are not exact."""
    base = plan.planned.base
    if base is None or base.quantize:
        return None
    made = training_plan(replace(plan.planned, config=replace(base, quantize="int8")))
    return Remedy('quantize = "int8"', made)


def of_smaller_rank(plan: TrainingPlan, free: int) -> Remedy | None:
    """The highest rank by halves that fits, found on the line from the lowest; the lowest where none fits."""
    base = plan.planned.base
    if base is None or base.rank <= SMALLEST_RANK:
        return None
    lowest = _of_rank(plan, base, SMALLEST_RANK)
    room = (free - lowest.plan.peak) / max(1, plan.peak - lowest.plan.peak)  # 1 at the rank there is
    rank = base.rank // 2
    while rank > SMALLEST_RANK and rank - SMALLEST_RANK > room * (base.rank - SMALLEST_RANK):
        rank //= 2
    return _of_rank(plan, base, rank) if rank > SMALLEST_RANK else lowest


def _of_rank(plan: TrainingPlan, base: LoraConfig, rank: int) -> Remedy:
    made = training_plan(replace(plan.planned, config=replace(base, rank=rank)))
    return Remedy(f"rank = {rank}", made)


CHANGES: tuple[Change, ...] = (computed_again, one_at_a_time, streamed, quantized, of_smaller_rank)
