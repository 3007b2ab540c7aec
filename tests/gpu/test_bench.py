"""The bench on this GPU: every system runs, its result is near the float32 one, and its memory is counted."""

from dataclasses import replace

import pytest
import torch

import gpu
from bench.cells import Cell
from bench.contest import Contestant
from bench.memory import peak
from bench.plan import Planned
from bench.random_weights import Setup, Weights, draw_inputs
from bench.run import measure_all
from bench.systems.ours import Ours
from bench.timing import Pace
from bench.variants import PLAIN, VARIANTS
from zimage_core.config import FLUX_VAE, QWEN3_4B
from zimage_core.quant.fp8 import has_fp8_gemm

NEAR = {"block": 0.02, "transformer": 0.05, "text": 0.05, "decode": 0.05, "picture": None}  # relative L2 in bfloat16


@pytest.fixture(scope="module")
def weights():
    text = replace(QWEN3_4B, n_layers=3, vocab_size=4096)
    return Weights(Setup(dit=gpu.SHALLOW_TURBO, text=text, vae=FLUX_VAE, device=gpu.DEVICE, dtype=torch.bfloat16))


@pytest.mark.parametrize("part", NEAR)
def test_everybody_is_measured(weights, part):
    names = [name for name in VARIANTS if name != "fp8" or has_fp8_gemm(gpu.DEVICE)]
    cell = Cell(part=part, size=(256, 192), caption=20, steps=2)
    planned, told = [Planned(cell=cell, rounds=3, fewest=0, seconds=3)], []
    found = measure_all(planned, weights, [], names, Pace(seconds=3, least=3), 1e15, told.append)
    assert not told
    assert len(found) == 1 + (part == "transformer") + sum(part in VARIANTS[name].parts for name in names)
    for each in found:
        assert each.time > 0 and each.peak.allocated > 0
        if NEAR[part] is not None and "lossy" not in each.name:
            assert each.drift.relative_l2 < NEAR[part], each.name


def test_a_recording_counts_with_the_memory_it_keeps(weights):
    inputs = draw_inputs(Cell(part="transformer", size=(1024, 1024), caption=20), weights.setup)

    def peak_of(variant):
        system = Ours(weights, variant)
        contestant = Contestant("", system.transformer(inputs), forget=system.forget)
        contestant.once()
        return peak(contestant, gpu.DEVICE).allocated

    plain, recorded = peak_of(PLAIN), peak_of(VARIANTS["graph"])
    assert plain <= recorded <= 2 * plain
