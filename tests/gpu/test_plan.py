"""The released model under the memory of small cards: what a plan promises is held by a real run.

Weights are random. PyTorch refuses to take more than the cap, whatever the card has.
"""

from contextlib import contextmanager, nullcontext

import pytest
import torch
from torch import nn

import gpu
from bench.machine import free_bytes
from gpu import randn
from zimage_core.config import FLUX_VAE, QWEN3_4B, TURBO_DIT
from zimage_core.quant import INT8, quantize_layers
from zimage_core.runtime.byte_counts import decoder_bytes
from zimage_core.runtime.offload.device_scope import module_on_device
from zimage_core.runtime.offload.plan import make_plan
from zimage_core.runtime.offload.plan_inputs import Machine, Networks, Picture
from zimage_core.runtime.offload.streaming import stream
from zimage_core.text import Qwen3
from zimage_core.vae import Autoencoder, decode_within

GB = 10**9
CONTEXT = GB // 2  # what CUDA takes for itself before it says what is free
NETWORKS = Networks(transformer=TURBO_DIT, text=QWEN3_4B, autoencoder=FLUX_VAE)
PICTURE = Picture(width=1024, height=1024)
SIGMAS = (1.0, 0.6)
HOST = 40 * GB  # what the plan is told of main memory


@pytest.fixture(autouse=True)
def _room():
    """On the card for the whole model, as it is made there; in main memory for all that waits."""
    free, host = torch.cuda.mem_get_info()[0], free_bytes(torch.device("cpu"))
    if free < 30 * GB or host < HOST:
        pytest.skip(f"needs 30 GB of a card and 40 GB of main memory; {free / GB:.0f} and {host / GB:.0f} are free")


def machine(size):
    capability = torch.cuda.get_device_capability()
    return Machine(kind="cuda", free_device=size - CONTEXT, free_ram=HOST, capability=capability)


@contextmanager
def capped(size):
    """PyTorch may take so many bytes of the card, less what CUDA has taken."""
    torch._C._cuda_clearCublasWorkspaces()
    assert gpu.allocated_bytes() < GB // 10, "earlier tests left something on the card"
    torch.cuda.empty_cache()
    torch.cuda.set_per_process_memory_fraction((size - CONTEXT) / torch.cuda.get_device_properties(0).total_memory)
    try:
        yield
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)


def velocity_of(dit, caption, run=None):
    chosen = {} if run is None else {"run": run}
    return dit.flow(dit.prepare([caption], PICTURE.cells(NETWORKS), **chosen), SIGMAS, **chosen)


def on_host(network: nn.Module) -> nn.Module:
    network.cpu()
    gpu.allocated_bytes()
    torch.cuda.empty_cache()
    return network


def released(is_8_bit):
    """The transformer in main memory, and what it answers where all of it is on the card."""
    dit = gpu.transformer(config=TURBO_DIT)
    if is_8_bit:
        quantize_layers(dit, INT8)
    latent, caption = randn(1, 16, 128, 128, dtype=torch.float32), randn(128, TURBO_DIT.cap_feat_dim, seed=1)
    expected = velocity_of(dit, caption)(latent, SIGMAS[1]).cpu()
    return on_host(dit), latent.cpu(), caption.cpu(), expected


@pytest.mark.parametrize("size, allowed", [(6 * GB, ("int8",)), (8 * GB, ())], ids=["6 GB, int8", "8 GB, bf16"])
def test_a_step_of_a_megapixel_runs_on_a_small_card_as_planned(size, allowed):
    plan = make_plan(NETWORKS, PICTURE, machine(size), allowed)
    assert plan.precision == ("int8" if allowed else "bf16") and plan.streamed
    dit, latent, caption, expected = released(is_8_bit=bool(allowed))
    answers = []

    def draw():
        with stream(dit, gpu.DEVICE, resident=plan.resident, arena_limit=plan.arena_limit) as blocks:
            with blocks.preparing() if plan.offload_preparation else nullcontext():
                velocity = velocity_of(dit, caption.to(gpu.DEVICE), blocks.run)
            answers.extend(velocity(latent.to(gpu.DEVICE), sigma).cpu() for sigma in SIGMAS)

    with capped(size):
        peak = gpu.peak_bytes(draw)
    assert torch.equal(answers[-1], expected)
    assert peak <= plan.peaks.transformer + gpu.WORKSPACES
    assert peak >= 0.8 * plan.peaks.transformer  # a plan that asks for far too much would be safe, and slow


@pytest.mark.parametrize("size, allowed", [(6 * GB, ("int8",)), (8 * GB, ())], ids=["6 GB", "8 GB"])
def test_a_megapixel_is_decoded_on_a_small_card_as_planned(size, allowed):
    plan = make_plan(NETWORKS, PICTURE, machine(size), allowed)
    vae = gpu.with_random_weights(Autoencoder(FLUX_VAE, device="meta"))
    expected = vae.decode(randn(1, 16, 128, 128)).cpu()
    on_host(vae)
    pictures = []

    def decode():
        with module_on_device(vae.decoder, gpu.DEVICE):
            pictures.append(decode_within(vae, randn(1, 16, 128, 128), plan.decode_budget).cpu())

    with capped(size):
        assert gpu.peak_bytes(decode) <= decoder_bytes(FLUX_VAE, "bf16") + plan.decode_budget + gpu.WORKSPACES
    assert (pictures[0].float() - expected.float()).abs().mean() < 0.02 * expected.float().abs().mean()


def test_the_released_text_encoder_reads_on_a_card_of_8_gb_as_planned():
    plan = make_plan(NETWORKS, PICTURE, machine(8 * GB))
    assert plan.text_on == "device"
    encoder, prompt = gpu.with_random_weights(Qwen3(QWEN3_4B, device="meta")), list(range(7, 135))
    [expected] = [features.cpu() for features in encoder.encode([prompt])]
    on_host(encoder)
    found = []

    def read():
        with module_on_device(encoder.model.layers, gpu.DEVICE):
            found.append(encoder.encode([prompt])[0].cpu())

    with capped(8 * GB):
        assert gpu.peak_bytes(read) <= plan.peaks.text + gpu.WORKSPACES
    assert torch.equal(found[0], expected)
