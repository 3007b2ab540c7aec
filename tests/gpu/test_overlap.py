"""Copies run while blocks compute: a streamed step lasts about as long as the longer of the two.

The one place in all tests where time is asserted, since only a card's own clock can show it; in ratios, by medians.
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
CELLS = (192, 192)  # 1536x1536: a block of an H200 computes about as long as it is copied
STEPS, SIGMA = 4, 0.6  # steps in a row, so that what is copied ahead of the first counts little
SLOWER = 1.15


@pytest.fixture(scope="module")
def whole():
    return gpu.transformer(config=CONFIG)


def steps(dit, run=run_block):
    """Several steps in a row."""
    latent = randn(1, 16, *CELLS, dtype=torch.float32)
    velocity = dit.flow(dit.prepare([randn(17, CONFIG.cap_feat_dim, seed=1)], CELLS, run=run), [SIGMA], run=run)
    return lambda: [velocity(latent, SIGMA) for _ in range(STEPS)]


def copying(n_bytes, times):
    """Milliseconds of so many copies from locked memory, one after another."""
    copy_stream = CudaCopyStream(gpu.DEVICE)
    memory, slot = torch.empty(n_bytes, dtype=torch.uint8), torch.empty(n_bytes, dtype=torch.uint8, device=gpu.DEVICE)
    assert copy_stream.pin(memory), "this system locks no memory"
    try:
        return gpu.milliseconds(lambda: [slot.copy_(memory, non_blocking=True) for _ in range(times)])
    finally:
        torch.cuda.synchronize()
        copy_stream.unpin(memory)


@pytest.mark.parametrize("n_resident", [0, 4])
def test_a_step_lasts_as_long_as_the_longer_of_computing_and_copying(whole, n_resident):
    dit = copy.deepcopy(whole).cpu()
    layer = sum(parameter.nbytes for name, parameter in dit.layers[0].named_parameters() if "norm" not in name)
    layer -= sum(parameter.nbytes for parameter in dit.layers[0].adaLN_modulation.parameters())
    computing = gpu.milliseconds(steps(whole)) / STEPS
    copies = copying(layer, N_LAYERS - n_resident)
    with stream(dit, gpu.DEVICE, resident=n_resident) as blocks:
        with blocks.preparing():
            run = steps(dit, blocks.run)
        lasted = gpu.milliseconds(run) / STEPS
    assert min(computing, copies) > 5  # milliseconds: less would measure launches
    assert lasted <= SLOWER * max(computing, copies), f"computing {computing:.1f}, copying {copies:.1f} ms"
