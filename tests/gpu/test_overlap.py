"""Copies overlap compute: a streamed step takes about as long as the longer of the two.

The only test that asserts times, as overlap cannot be shown otherwise; it compares medians of CUDA event timings.
"""

import copy
from dataclasses import replace

import pytest
import torch

import gpu
from gpu import randn
from zimage_core.model.condition import run_block
from zimage_core.runtime.offload.copy_streams import CudaCopyStream
from zimage_core.runtime.offload.streaming import stream

N_LAYERS = 10
CONFIG = replace(gpu.SHALLOW_TURBO, n_layers=N_LAYERS)
LATENT_SIZE = (192, 192)  # 1536x1536: on an H200 a block takes about as long to compute as to copy
STEPS, SIGMA = 4, 0.6  # consecutive steps, so that prefetching before the first one matters little
TOLERANCE = 1.15  # step time relative to the longer of compute and copies


@pytest.fixture(scope="module")
def resident_dit():
    return gpu.transformer(config=CONFIG)


def steps(dit, run=run_block):
    """A function that runs consecutive steps."""
    latent = randn(1, 16, *LATENT_SIZE, dtype=torch.float32)
    velocity = dit.flow(dit.prepare([randn(17, CONFIG.cap_feat_dim, seed=1)], LATENT_SIZE, run=run), [SIGMA], run=run)
    return lambda: [velocity(latent, SIGMA) for _ in range(STEPS)]


def copy_milliseconds(n_bytes, times):
    """Milliseconds of `times` sequential copies from pinned memory."""
    copy_stream = CudaCopyStream(gpu.DEVICE)
    source, target = torch.empty(n_bytes, dtype=torch.uint8), torch.empty(n_bytes, dtype=torch.uint8, device=gpu.DEVICE)
    assert copy_stream.pin(source), "this system cannot pin memory"
    try:
        return gpu.milliseconds(lambda: [target.copy_(source, non_blocking=True) for _ in range(times)])
    finally:
        torch.cuda.synchronize()
        copy_stream.unpin(source)


@pytest.mark.parametrize("n_resident", [0, 4])
def test_a_step_takes_as_long_as_the_longer_of_compute_and_copies(resident_dit, n_resident):
    dit = copy.deepcopy(resident_dit).cpu()
    layer = sum(parameter.nbytes for name, parameter in dit.layers[0].named_parameters() if "norm" not in name)
    layer -= sum(parameter.nbytes for parameter in dit.layers[0].adaLN_modulation.parameters())
    compute_ms = gpu.milliseconds(steps(resident_dit)) / STEPS
    copy_ms = copy_milliseconds(layer, N_LAYERS - n_resident)
    with stream(dit, gpu.DEVICE, resident=n_resident) as blocks:
        with blocks.preparing():
            run = steps(dit, blocks.run)
        step_ms = gpu.milliseconds(run) / STEPS
    assert min(compute_ms, copy_ms) > 5  # milliseconds; less would be dominated by kernel launches
    assert step_ms <= TOLERANCE * max(compute_ms, copy_ms), f"computing {compute_ms:.1f}, copying {copy_ms:.1f} ms"
