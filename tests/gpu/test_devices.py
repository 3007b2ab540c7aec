"""Every network of the pack, small and in float32: the outputs on GPU and CPU agree.

This finds tensors on the wrong device, which only a GPU can show.
"""

import copy
from dataclasses import replace

import pytest
import torch

import gpu
import tiny
from gpu import relative_error
from zimage_core.adapters import Control, Lora, controlled_flow, injected
from zimage_core.adapters.control.network import ControlNet
from zimage_core.adapters.deltas.low_rank import LowRank
from zimage_core.adapters.lora import Target
from zimage_core.config import ControlConfig
from zimage_core.model import Reference
from zimage_core.runtime.offload.streaming import stream
from zimage_core.sampling import StepCache, denoise

LATENT_SIZE = (6, 10)  # 15 patches, so that pad tokens are used
TOLERANCE = 2e-5  # relative error
CONTROL = ControlConfig(
    dim=64, n_heads=2, ffn_dim=170, adaln_dim=64, n_layers=2, n_refiner_layers=2, in_channels=33,
    refiner="control_noise_refiner",
)  # fmt: skip
DEVICES = ("cpu", gpu.DEVICE)


def randn(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def copy_on(network, device):
    return copy.deepcopy(network).to(device)


def check_devices_agree(output_on, tolerance=TOLERANCE):
    """Compare `output_on(device)` of GPU and CPU."""
    on_cpu, on_gpu = (output_on(device) for device in DEVICES)
    assert relative_error(on_gpu, on_cpu) < tolerance


@pytest.mark.parametrize("length", [1, 9, 40])
def test_the_transformer(length):
    dit = tiny.dit()

    def output_on(device):
        captions = [randn(length, 48, seed=1).to(device), randn(33, 48, seed=2).to(device)]  # of two lengths
        return copy_on(dit, device)(
            randn(2, 16, *LATENT_SIZE).to(device), torch.tensor([0.7, 0.2], device=device), captions
        )

    check_devices_agree(output_on)


@pytest.mark.parametrize("n_references", [1, 2])
def test_the_transformer_with_references(n_references):
    dit = tiny.omni()

    def output_on(device):
        chunks = [randn(n, 48, seed=n).to(device) for n in (5, *[6] * (n_references - 1), 7, 3)]
        references = [
            Reference(randn(16, *LATENT_SIZE, seed=seed).to(device), randn(4, 4, 40, seed=seed).to(device))
            for seed in range(n_references)
        ]
        network = copy_on(dit, device)
        condition = network.prepare_with_references([chunks], [references], LATENT_SIZE)
        return network.flow(condition)(randn(1, 16, *LATENT_SIZE).to(device), 0.6)

    check_devices_agree(output_on)


def test_a_controlnet():
    dit, net = tiny.dit(), tiny.fill(ControlNet(CONTROL), 2)

    def output_on(device):
        network, control = copy_on(dit, device), copy_on(net, device)
        context = control.embed(randn(1, 33, *LATENT_SIZE, seed=4).to(device))
        condition = network.prepare([randn(17, 48).to(device)], LATENT_SIZE)
        field = controlled_flow(network, condition, [Control(network=control, tokens=context)])
        return field(randn(1, 16, *LATENT_SIZE).to(device), 0.6)

    check_devices_agree(output_on)


def test_a_lora_read_on_the_cpu():
    dit = tiny.dit()
    change = LowRank(up=randn(64, 2, seed=1), down=randn(2, 64, seed=2))
    lora = Lora(file="", family="", deltas={Target("layers.0.attention.out.weight"): change})

    def output_on(device):
        network = copy_on(dit, device)
        with injected(network, (lora, 0.5)):
            return network.flow(network.prepare([randn(9, 48).to(device)], LATENT_SIZE))(
                randn(1, 16, *LATENT_SIZE).to(device), 0.6
            )

    check_devices_agree(output_on)


def test_a_run_with_a_step_cache():
    dit = tiny.dit()

    def output_on(device):
        network = copy_on(dit, device)
        velocity = network.flow(network.prepare([randn(9, 48).to(device)], LATENT_SIZE))
        levels = [1 - step / 12 for step in range(13)]
        steps = list(denoise(velocity, randn(1, 16, *LATENT_SIZE).to(device), levels, cache=StepCache(threshold=5.0)))
        assert steps[-1].nfe < 12
        return steps[-1].x

    check_devices_agree(output_on, tolerance=1e-3)  # errors of several network calls add up


def test_streaming_in_float32():
    dit = tiny.fill(type(tiny.dit())(replace(tiny.DIT, n_layers=5)))
    latent, caption = randn(1, 16, *LATENT_SIZE), randn(9, 48)
    expected = dit.flow(dit.prepare([caption], LATENT_SIZE))(latent, 0.6)
    with stream(dit, gpu.DEVICE, resident=1) as blocks, blocks.preparing():
        condition = dit.prepare([caption.to(gpu.DEVICE)], LATENT_SIZE, run=blocks.run)
        found = dit.flow(condition, run=blocks.run)(latent.to(gpu.DEVICE), 0.6)
    assert relative_error(found, expected) < TOLERANCE


def test_the_text_encoder():
    encoder = tiny.text_encoder()
    check_devices_agree(lambda device: torch.cat(copy_on(encoder, device).encode([[3, 5, 600, 9], [7]])))


def test_the_vision_tower():
    tower = tiny.vision()
    check_devices_agree(lambda device: copy_on(tower, device)(randn(1, 3, 64, 80).to(device)))
