"""The benchmark on this GPU: every variant runs, is near the float32 reference, and has its peak memory measured."""

from dataclasses import replace

import pytest
import torch

import gpu
from bench.memory import peak_memory
from bench.plan import PlannedWorkload
from bench.random_weights import Setup, Weights, draw_inputs
from bench.run import measure_all
from bench.runner import Runner
from bench.systems.ours import Ours
from bench.timing import TimeBudget
from bench.variants import DEFAULT_VARIANT, VARIANTS
from bench.workloads import Workload
from zimage_core.config import FLUX_VAE, QWEN3_4B
from zimage_core.quant.fp8 import has_fp8_gemm

TOLERANCES = {
    "block": 0.02,
    "transformer": 0.05,
    "text": 0.05,
    "decode": 0.05,
    "picture": None,
}  # relative L2 in bfloat16


@pytest.fixture(scope="module")
def weights():
    text = replace(QWEN3_4B, n_layers=3, vocab_size=4096)
    return Weights(Setup(dit=gpu.SHALLOW_TURBO, text=text, vae=FLUX_VAE, device=gpu.DEVICE, dtype=torch.bfloat16))


@pytest.mark.parametrize("part", TOLERANCES)
def test_every_variant_is_measured(weights, part):
    names = [name for name in VARIANTS if name != "fp8" or has_fp8_gemm(gpu.DEVICE)]
    workload = Workload(part=part, size=(256, 192), caption=20, steps=2)
    planned, notes = [PlannedWorkload(workload=workload, min_rounds=3, min_seconds=0, seconds=3)], []
    found = measure_all(planned, weights, [], names, TimeBudget(seconds=3, min_rounds=3), 1e15, notes.append)
    assert not notes
    assert len(found) == 1 + (part == "transformer") + sum(part in VARIANTS[name].parts for name in names)
    for each in found:
        assert each.time > 0 and each.peak_memory.allocated > 0
        if TOLERANCES[part] is not None and "lossy" not in each.name:
            assert each.deviation.relative_l2 < TOLERANCES[part], each.name


def test_a_captured_graphs_memory_is_included_in_the_peak(weights):
    inputs = draw_inputs(Workload(part="transformer", size=(1024, 1024), caption=20), weights.setup)

    def peak_of(variant):
        system = Ours(weights, variant)
        runner = Runner("", system.transformer(inputs), release=system.release)
        runner.run_once()
        return peak_memory(runner, gpu.DEVICE).allocated

    eager, captured = peak_of(DEFAULT_VARIANT), peak_of(VARIANTS["graph"])
    assert eager <= captured <= 2 * eager
