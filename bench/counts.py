"""Counting mode: what one transformer block, one text layer and one decoded latent ask of the machine, by system.

A layer's counts are those of a network of two layers less those of a network of one, so every system is taken as it
runs itself and nothing of it is imitated here.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import torch
from tqdm import tqdm

from .cells import Cell, Part
from .contest import System
from .counter import Counts, count
from .random_weights import Setup, Weights, draw_inputs

LEAST_TEXT_LAYERS = 3  # ComfyUI builds no encoder of fewer when asked for its second-to-last features

MakeSystem = Callable[[Weights], System]


@dataclass(frozen=True, kw_only=True)
class Counted:
    """One row of the table of counts."""

    subject: str
    system: str
    dtype: str
    counts: Counts


def count_block(make: MakeSystem, setup: Setup, cell: Cell) -> Counts:
    """One main block of a step whose condition is prepared."""
    return _layer(make, setup, cell, "transformer", 1)


def count_text_layer(make: MakeSystem, setup: Setup, cell: Cell) -> Counts:
    """One layer of the text encoder."""
    return _layer(make, setup, cell, "text", LEAST_TEXT_LAYERS)


@torch.no_grad()
def count_whole(make: MakeSystem, setup: Setup, cell: Cell) -> Counts:
    """All of a cell's work."""
    system = make(_weights(setup))
    run = getattr(system, cell.part)(draw_inputs(cell, setup))
    run()  # what is made once, as tables kept for later calls, is no work of the second
    return count(run)


@torch.no_grad()
def _layer(make: MakeSystem, setup: Setup, cell: Cell, part: Part, least: int) -> Counts:
    shallow, deep = (
        replace(
            setup,
            dit=replace(setup.dit, n_layers=depth, n_refiner_layers=1),
            text=replace(setup.text, n_layers=max(LEAST_TEXT_LAYERS, depth)),
        )
        for depth in (least, least + 1)
    )
    work = replace(cell, part=part)
    return count_whole(make, deep, work) - count_whole(make, shallow, work)


@lru_cache(maxsize=2)  # the two depths that every system is asked for in turn
def _weights(setup: Setup) -> Weights:
    return Weights(setup)


def count_all(makers: Sequence[MakeSystem], setups: Sequence[Setup], cell: Cell) -> list[Counted]:
    """Every subject by every system in every precision."""
    subjects: dict[str, Callable[[MakeSystem, Setup, Cell], Counts]] = {
        "transformer block": count_block,
        "step of one layer": count_whole,
        "text layer": count_text_layer,
        "autoencoder decode": lambda make, setup, cell: count_whole(make, setup, replace(cell, part="decode")),
    }
    jobs = [(subject, setup, make) for subject in subjects for setup in setups for make in makers]
    rows: list[Counted] = []
    for subject, setup, make in tqdm(jobs, desc="counting", leave=False):
        counts = subjects[subject](make, setup, cell)
        name = make(_weights(setup)).name
        rows.append(Counted(subject=subject, system=name, dtype=str(setup.dtype).removeprefix("torch."), counts=counts))
    return rows
