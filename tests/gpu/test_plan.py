"""The released model within the memory of small GPUs: real runs stay within the plan.

Weights are random. The memory of a small GPU is enforced by a cap on PyTorch's allocator.
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
CUDA_CONTEXT = GB // 2  # memory of the CUDA context, not reported as free
NETWORKS = Networks(transformer=TURBO_DIT, text=QWEN3_4B, autoencoder=FLUX_VAE)
PICTURE = Picture(width=1024, height=1024)
SIGMAS = (1.0, 0.6)
FREE_RAM = 40 * GB  # free RAM given to the plan


@pytest.fixture(autouse=True)
def _enough_memory():
    """Skip without enough GPU memory for the whole model, where it is built, and RAM for offloading it."""
    free, ram = torch.cuda.mem_get_info()[0], free_bytes(torch.device("cpu"))
    if free < 30 * GB or ram < FREE_RAM:
        pytest.skip(f"needs 30 GB of GPU memory and 40 GB of RAM; {free / GB:.0f} and {ram / GB:.0f} are free")


def machine(size):
    capability = torch.cuda.get_device_capability()
    return Machine(kind="cuda", free_device=size - CUDA_CONTEXT, free_ram=FREE_RAM, capability=capability)


@contextmanager
def capped(size):
    """Cap PyTorch's allocator at `size` bytes minus the CUDA context."""
    torch._C._cuda_clearCublasWorkspaces()
    assert gpu.allocated_bytes() < GB // 10, "earlier tests left tensors on the GPU"
    torch.cuda.empty_cache()
    torch.cuda.set_per_process_memory_fraction((size - CUDA_CONTEXT) / torch.cuda.get_device_properties(0).total_memory)
    try:
        yield
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)


def velocity_of(dit, caption, run=None):
    options = {} if run is None else {"run": run}
    return dit.flow(dit.prepare([caption], PICTURE.cells(NETWORKS), **options), SIGMAS, **options)


def moved_to_cpu(network: nn.Module) -> nn.Module:
    network.cpu()
    gpu.allocated_bytes()
    torch.cuda.empty_cache()
    return network


def released_dit(is_8_bit):
    """The transformer in RAM, its inputs, and its output when resident on the GPU."""
    dit = gpu.transformer(config=TURBO_DIT)
    if is_8_bit:
        quantize_layers(dit, INT8)
    latent, caption = randn(1, 16, 128, 128, dtype=torch.float32), randn(128, TURBO_DIT.cap_feat_dim, seed=1)
    expected = velocity_of(dit, caption)(latent, SIGMAS[1]).cpu()
    return moved_to_cpu(dit), latent.cpu(), caption.cpu(), expected


@pytest.mark.parametrize("size, allowed", [(6 * GB, ("int8",)), (8 * GB, ())], ids=["6 GB, int8", "8 GB, bf16"])
def test_a_step_of_a_megapixel_runs_on_a_small_gpu_as_planned(size, allowed):
    plan = make_plan(NETWORKS, PICTURE, machine(size), allowed)
    assert plan.precision == ("int8" if allowed else "bf16") and plan.streamed
    dit, latent, caption, expected = released_dit(is_8_bit=bool(allowed))
    velocities = []

    def draw():
        with stream(dit, gpu.DEVICE, resident=plan.resident, arena_limit=plan.arena_limit) as blocks:
            with blocks.preparing() if plan.offload_preparation else nullcontext():
                velocity = velocity_of(dit, caption.to(gpu.DEVICE), blocks.run)
            velocities.extend(velocity(latent.to(gpu.DEVICE), sigma).cpu() for sigma in SIGMAS)

    with capped(size):
        peak = gpu.peak_bytes(draw)
    assert torch.equal(velocities[-1], expected)
    assert peak <= plan.peaks.transformer + gpu.WORKSPACES
    assert peak >= 0.8 * plan.peaks.transformer  # a plan that overestimates is safe but slow


@pytest.mark.parametrize("size, allowed", [(6 * GB, ("int8",)), (8 * GB, ())], ids=["6 GB", "8 GB"])
def test_a_megapixel_is_decoded_on_a_small_gpu_as_planned(size, allowed):
    plan = make_plan(NETWORKS, PICTURE, machine(size), allowed)
    vae = gpu.with_random_weights(Autoencoder(FLUX_VAE, device="meta"))
    expected = vae.decode(randn(1, 16, 128, 128)).cpu()
    moved_to_cpu(vae)
    pictures = []

    def decode():
        with module_on_device(vae.decoder, gpu.DEVICE):
            pictures.append(decode_within(vae, randn(1, 16, 128, 128), plan.decode_budget).cpu())

    with capped(size):
        assert gpu.peak_bytes(decode) <= decoder_bytes(FLUX_VAE, "bf16") + plan.decode_budget + gpu.WORKSPACES
    assert (pictures[0].float() - expected.float()).abs().mean() < 0.02 * expected.float().abs().mean()


def test_the_released_text_encoder_runs_on_an_8_gb_gpu_as_planned():
    plan = make_plan(NETWORKS, PICTURE, machine(8 * GB))
    assert plan.text_on == "device"
    encoder, prompt = gpu.with_random_weights(Qwen3(QWEN3_4B, device="meta")), list(range(7, 135))
    [expected] = [embeddings.cpu() for embeddings in encoder.encode([prompt])]
    moved_to_cpu(encoder)
    found = []

    def encode():
        with module_on_device(encoder.model.layers, gpu.DEVICE):
            found.append(encoder.encode([prompt])[0].cpu())

    with capped(8 * GB):
        assert gpu.peak_bytes(encode) <= plan.peaks.text + gpu.WORKSPACES
    assert torch.equal(found[0], expected)
