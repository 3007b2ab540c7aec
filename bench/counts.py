"""Counting mode: operation counts of a transformer block, a text-encoder layer and a decoded latent, by system.

The counts of one layer are the difference between networks of two and of one layer, so every system runs its own
unmodified forward.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import torch
from tqdm import tqdm

from .counter import Counts, count
from .random_weights import Setup, Weights, draw_inputs
from .runner import System
from .workloads import PARTS, Part, Workload

MIN_TEXT_LAYERS = 3  # ComfyUI cannot build a smaller encoder when the second-to-last hidden state is requested

SystemFactory = Callable[[Weights], System]


@dataclass(frozen=True, kw_only=True)
class SystemCounts:
    """One row of the table of counts."""

    subject: str
    system: str
    dtype: str
    counts: Counts


def count_block(make_system: SystemFactory, setup: Setup, workload: Workload) -> Counts:
    """One main block of a sampling step with a prepared condition."""
    return _layer(make_system, setup, workload, "transformer", 1)


def count_text_layer(make_system: SystemFactory, setup: Setup, workload: Workload) -> Counts:
    """One layer of the text encoder."""
    return _layer(make_system, setup, workload, "text", MIN_TEXT_LAYERS)


@torch.no_grad()
def count_whole(make_system: SystemFactory, setup: Setup, workload: Workload) -> Counts:
    """The whole workload."""
    system = make_system(_weights(setup))
    run = getattr(system, workload.part)(draw_inputs(workload, setup))
    run()  # warm-up: builds cached tables, which later calls reuse
    return count(run)


@torch.no_grad()
def _layer(make_system: SystemFactory, setup: Setup, workload: Workload, part: Part, min_layers: int) -> Counts:
    shallow, deep = (
        replace(
            setup,
            dit=replace(setup.dit, n_layers=depth, n_refiner_layers=1),
            text=replace(setup.text, n_layers=max(MIN_TEXT_LAYERS, depth)),
        )
        for depth in (min_layers, min_layers + 1)
    )
    work = replace(workload, part=part)
    return count_whole(make_system, deep, work) - count_whole(make_system, shallow, work)


@lru_cache(maxsize=2)  # the two depths, reused for every system
def _weights(setup: Setup) -> Weights:
    return Weights(setup)


def count_all(factories: Sequence[SystemFactory], setups: Sequence[Setup], workload: Workload) -> list[SystemCounts]:
    """Counts of every subject for every system that has it and every precision."""
    subjects: dict[str, tuple[Part, Callable[[SystemFactory, Setup, Workload], Counts]]] = {
        "transformer block": ("block", count_block),
        "step of one layer": ("transformer", count_whole),
        "text layer": ("text", count_text_layer),
        "autoencoder decode": (
            "decode",
            lambda make_system, setup, workload: count_whole(make_system, setup, replace(workload, part="decode")),
        ),
    }
    jobs = [
        (subject, setup, make_system)
        for subject, (part, _) in subjects.items()
        for setup in setups
        for make_system in factories
        if part in getattr(make_system, "parts", PARTS)
    ]
    rows: list[SystemCounts] = []
    for subject, setup, make_system in tqdm(jobs, desc="counting", leave=False):
        counts = subjects[subject][1](make_system, setup, workload)
        name = make_system(_weights(setup)).name
        rows.append(
            SystemCounts(subject=subject, system=name, dtype=str(setup.dtype).removeprefix("torch."), counts=counts)
        )
    return rows
