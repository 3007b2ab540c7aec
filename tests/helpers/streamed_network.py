"""A small transformer and its inputs for the tests of streaming."""

from dataclasses import replace

import torch

import tiny
from zimage_core.model import S3DiT
from zimage_core.model.condition import run_block
from zimage_core.runtime.offload.streaming import stream

CONFIG = replace(tiny.DIT, n_layers=7, n_refiner_layers=1, time_hidden_dim=64)


SIGMAS = (1.0, 0.6, 0.3)


SIZE = (8, 12)


def network(n_layers=7):
    return tiny.fill(S3DiT(replace(CONFIG, n_layers=n_layers)))


def inputs():
    generator = torch.Generator().manual_seed(3)
    return torch.randn(1, 16, *SIZE, generator=generator), torch.randn(17, 48, generator=generator)


def prepared(dit, blocks=None):
    """The velocity field of a run, streamed if `blocks` is given."""
    _, caption = inputs()
    run = blocks.run if blocks else run_block
    condition = dit.prepare([caption], SIZE, run=run)
    return dit.flow(condition, SIGMAS, run=run)


@torch.inference_mode()
def velocities(dit, **options):
    latent, _ = inputs()
    if not options:
        return [prepared(dit)(latent, sigma) for sigma in SIGMAS]
    with stream(dit, "cpu", **options) as blocks:
        with blocks.preparing():
            velocity = prepared(dit, blocks)
        return [velocity(latent, sigma) for sigma in SIGMAS]


def state_of(dit):
    """The observable state of the model: tensor objects, values, devices."""
    tensors = [*dit.named_parameters(), *dit.named_buffers()]
    return {name: (tensor, tensor.detach().clone(), tensor.device) for name, tensor in tensors}


def check_untouched(dit, before):
    after = state_of(dit)
    assert after.keys() == before.keys()
    for name, (tensor, value, device) in after.items():
        tensor_before, value_before, device_before = before[name]
        assert tensor is tensor_before and torch.equal(value, value_before) and device == device_before, name
