"""Limits on the operation counts of a block, a text layer and a decoded latent, checked by CI.

Every limit is a number of the counts table. Lower it when the code improves; raise it only with a reason in the log.
"""

from dataclasses import dataclass

import pytest
import torch

from bench.counts import count_block, count_text_layer, count_whole
from bench.plan import tiny_setup
from bench.systems.comfyui_int8 import ComfyUIInt8
from bench.systems.ours import Ours, OursInt8
from bench.workloads import Workload

FLOAT32, BFLOAT16 = torch.float32, torch.bfloat16


@dataclass(frozen=True, kw_only=True)
class Limit:
    """Upper limits for our code on a CPU; `of_comfyui` limits are fractions of ComfyUI's native counts."""

    operations: int
    allocations: int
    bytes_of_comfyui: float  # elementwise, read and written
    peak_of_comfyui: float  # peak of live bytes
    syncs: int = 0


LIMITS = {
    ("block", FLOAT32): Limit(operations=29, allocations=20, bytes_of_comfyui=0.61, peak_of_comfyui=0.64),
    ("block", BFLOAT16): Limit(operations=30, allocations=21, bytes_of_comfyui=0.37, peak_of_comfyui=0.76),
    ("int8 block", FLOAT32): Limit(operations=84, allocations=49, bytes_of_comfyui=0.55, peak_of_comfyui=0.54),
    ("int8 block", BFLOAT16): Limit(operations=94, allocations=59, bytes_of_comfyui=0.62, peak_of_comfyui=0.59),
    ("text layer", FLOAT32): Limit(operations=40, allocations=33, bytes_of_comfyui=0.87, peak_of_comfyui=0.89),
    ("text layer", BFLOAT16): Limit(operations=49, allocations=42, bytes_of_comfyui=0.35, peak_of_comfyui=0.37),
    ("decode", FLOAT32): Limit(operations=93, allocations=137, bytes_of_comfyui=1.0, peak_of_comfyui=1.66),
    ("decode", BFLOAT16): Limit(operations=93, allocations=137, bytes_of_comfyui=1.0, peak_of_comfyui=1.66),
}

BLOCK = Workload(part="transformer", size=(128, 128), caption=32)
IN_INT8 = {"Ours": OursInt8, "ComfyUI": ComfyUIInt8}
COUNT = {
    "block": lambda system, setup: count_block(system, setup, BLOCK),
    "int8 block": lambda system, setup: count_block(IN_INT8[system.__name__], setup, BLOCK),
    "text layer": lambda system, setup: count_text_layer(system, setup, BLOCK),
    "decode": lambda system, setup: count_whole(system, setup, Workload(part="decode", size=(64, 64), caption=32)),
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
    """reference/performance.md, 0: 75 operations per main block in 16 bits, counted by an independent script."""
    assert count_block(diffusers, tiny_setup(BFLOAT16), BLOCK).operations == 75


def test_a_whole_step_of_ours_never_syncs():
    assert count_whole(Ours, tiny_setup(), BLOCK).syncs == 0
