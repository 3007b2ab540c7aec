"""What CI gates: how much a block, a text layer and a decoded latent may ask of the machine. No clock is read.

Every limit is one number of the table. Lower it when the code gets leaner; raise none without saying why in the log.
"""

from dataclasses import dataclass

import pytest
import torch

from bench.cells import Cell
from bench.counts import count_block, count_text_layer, count_whole
from bench.plan import tiny_setup
from bench.systems.ours import Ours

FLOAT32, BFLOAT16 = torch.float32, torch.bfloat16


@dataclass(frozen=True, kw_only=True)
class Limit:
    """The most ours may ask for on a CPU; `of_comfyui` ones are fractions of what ComfyUI's native code asks for."""

    operations: int
    allocations: int
    bytes_of_comfyui: float  # elementwise, read and written
    peak_of_comfyui: float  # bytes alive at once
    syncs: int = 0


LIMITS = {
    ("block", FLOAT32): Limit(operations=29, allocations=20, bytes_of_comfyui=0.61, peak_of_comfyui=0.64),
    ("block", BFLOAT16): Limit(operations=30, allocations=21, bytes_of_comfyui=0.37, peak_of_comfyui=0.76),
    ("text layer", FLOAT32): Limit(operations=40, allocations=33, bytes_of_comfyui=0.87, peak_of_comfyui=0.89),
    ("text layer", BFLOAT16): Limit(operations=49, allocations=42, bytes_of_comfyui=0.35, peak_of_comfyui=0.37),
    ("decode", FLOAT32): Limit(operations=93, allocations=137, bytes_of_comfyui=1.0, peak_of_comfyui=1.66),
    ("decode", BFLOAT16): Limit(operations=93, allocations=137, bytes_of_comfyui=1.0, peak_of_comfyui=1.66),
}

BLOCK = Cell(part="transformer", size=(128, 128), caption=32)
COUNT = {
    "block": lambda system, setup: count_block(system, setup, BLOCK),
    "text layer": lambda system, setup: count_text_layer(system, setup, BLOCK),
    "decode": lambda system, setup: count_whole(system, setup, Cell(part="decode", size=(64, 64), caption=32)),
}


@pytest.mark.parametrize(("subject", "dtype"), LIMITS, ids=[f"{name}, {dtype}" for name, dtype in LIMITS])
def test_ours_stays_within_its_limits(comfyui, subject, dtype):
    limit, setup = LIMITS[subject, dtype], tiny_setup(dtype, n_heads=6, time_hidden_dim=768)
    ours, theirs = COUNT[subject](Ours, setup), COUNT[subject](comfyui, setup)
    found = {
        "operations": ours.operations,
        "allocations": ours.allocations,
        "bytes_of_comfyui": ours.elementwise_bytes / theirs.elementwise_bytes,
        "peak_of_comfyui": ours.peak_bytes / theirs.peak_bytes,
        "syncs": ours.syncs,
    }
    over = {name: value for name, value in found.items() if value > getattr(limit, name)}
    assert not over, f"over the limits of {subject} in {dtype}: {over}"


def test_the_counter_agrees_with_the_reference_on_diffusers(diffusers):
    """reference/performance.md, 0: 75 operations per main block in 16 bits, counted there by another script."""
    assert count_block(diffusers, tiny_setup(BFLOAT16), BLOCK).operations == 75


def test_a_whole_step_of_ours_never_waits_for_a_device():
    assert count_whole(Ours, tiny_setup(), BLOCK).syncs == 0
