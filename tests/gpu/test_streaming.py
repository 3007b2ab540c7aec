"""Blocks streamed from RAM to a GPU: bit-equal results, pinned and unpinned memory, interruptions, peak memory."""

import copy

import pytest
import torch

import gpu
from gpu import randn
from zimage_core.config import FLUX_VAE, QWEN3_4B
from zimage_core.model.condition import run_block
from zimage_core.quant import FP8, INT8, quantize_layers
from zimage_core.quant.fp8 import has_fp8_gemm
from zimage_core.runtime.offload.copy_streams import CudaCopyStream
from zimage_core.runtime.offload.plan import transformer_placements
from zimage_core.runtime.offload.plan_inputs import Machine, Networks, Picture
from zimage_core.runtime.offload.streaming import stream

N_LAYERS = 6
CONFIG = gpu.replace(gpu.SHALLOW_TURBO, n_layers=N_LAYERS)
SIGMAS = (1.0, 0.6, 0.3)
LATENT_SIZE = (16, 24)


@pytest.fixture(scope="module")
def resident():
    """The whole transformer on the GPU."""
    return gpu.transformer(config=CONFIG)


@pytest.fixture
def dit(resident):
    """The same transformer in RAM."""
    return copy.deepcopy(resident).cpu()


def prepared(dit, run=run_block, latent_size=LATENT_SIZE):
    condition = dit.prepare([randn(17, CONFIG.cap_feat_dim, seed=1)], latent_size, run=run)
    return dit.flow(condition, SIGMAS, run=run)


def velocities(velocity, latent_size=LATENT_SIZE):
    return [
        velocity(randn(1, 16, *latent_size, seed=index, dtype=torch.float32), sigma)
        for index, sigma in enumerate(SIGMAS)
    ]


def streamed(dit, **options):
    with stream(dit, gpu.DEVICE, **options) as blocks:
        with blocks.preparing():
            velocity = prepared(dit, blocks.run)
        return velocities(velocity)


def same(found, expected):
    return all(torch.equal(*pair) for pair in zip(found, expected, strict=True))


def check_on_cpu(dit, before):
    """All parameters are on the CPU again, with unchanged values."""
    for name, tensor in dit.named_parameters():
        assert tensor.device.type == "cpu" and torch.equal(tensor, before.get_parameter(name).cpu()), name


@pytest.mark.parametrize("n_resident, limit", [(0, None), (1, None), (4, None), (5, None), (6, None), (0, 0), (3, 0)])
def test_streamed_is_bit_equal_to_resident(resident, dit, n_resident, limit):
    assert same(streamed(dit, resident=n_resident, arena_limit=limit), velocities(prepared(resident)))
    check_on_cpu(dit, resident)


def test_after_an_interruption_the_next_step_is_right(resident, dit):
    calls = []

    def interrupted_once(stage, index, block, x):
        calls.append((stage.name, index))
        if calls[-1] == ("layers", 3) and calls.count(("layers", 3)) == 1:
            raise InterruptedError
        return run_block(stage, index, block, x)

    expected = velocities(prepared(resident))
    with stream(dit, gpu.DEVICE, resident=1, base_run_block=interrupted_once) as blocks:
        with blocks.preparing():
            velocity = prepared(dit, blocks.run)
        with pytest.raises(InterruptedError):
            velocities(velocity)
        check_on_cpu(dit, resident)
        assert same(velocities(velocity), expected)
    check_on_cpu(dit, resident)


def test_running_out_of_memory_leaves_the_model_intact(resident, dit):
    """Out of memory within a step raises PyTorch's error, and the next step works."""

    def out_of_memory_once(stage, index, block, x):
        if (stage.name, index) == ("layers", 2) and is_out_of_memory:
            torch.empty(2**42, device=gpu.DEVICE)
        return run_block(stage, index, block, x)

    is_out_of_memory, expected = True, velocities(prepared(resident))
    with stream(dit, gpu.DEVICE, resident=0, base_run_block=out_of_memory_once) as blocks:
        with blocks.preparing():
            velocity = prepared(dit, blocks.run)
        with pytest.raises(torch.OutOfMemoryError):
            velocities(velocity)
        is_out_of_memory = False
        assert same(velocities(velocity), expected)
    check_on_cpu(dit, resident)


def test_streamed_blocks_are_pinned_and_unpinned(dit):
    def pinned():
        return [block.attention.qkv.weight.is_pinned() for block in dit.layers]

    for _ in range(2):
        with stream(dit, gpu.DEVICE, resident=2):
            assert pinned().count(True) == N_LAYERS - 2
        assert not any(pinned())


def test_a_failed_pinning_is_reported_and_its_cuda_error_cleared():
    copy_stream, memory = CudaCopyStream(gpu.DEVICE), torch.empty(2**22, dtype=torch.uint8)
    assert copy_stream.pin(memory)
    assert not copy_stream.pin(memory)  # already pinned
    assert torch.ones(3, device=gpu.DEVICE).add(1).tolist() == [2.0, 2.0, 2.0]  # no pending CUDA error
    assert memory.is_pinned()
    copy_stream.unpin(memory)
    assert not memory.is_pinned()


def test_blocks_in_unpinned_memory_give_the_same(resident, dit):
    class NeverPins(CudaCopyStream):
        def pin(self, memory):
            return False

    assert same(streamed(dit, resident=2, copy_stream=NeverPins(gpu.DEVICE)), velocities(prepared(resident)))
    assert any("would not lock" in sentence for sentence in gpu.WARNINGS.sentences)


def test_a_streamed_step_never_syncs(dit):
    with stream(dit, gpu.DEVICE, resident=2) as blocks:
        with blocks.preparing():
            velocity = prepared(dit, blocks.run)
        expected = velocities(velocity)
        x = [randn(1, 16, *LATENT_SIZE, seed=index, dtype=torch.float32) for index in range(len(SIGMAS))]
        with gpu.no_sync():
            found = [velocity(each, sigma) for each, sigma in zip(x, SIGMAS, strict=True)]
    assert same(found, expected)


def test_all_gpu_memory_is_freed(dit):
    streamed(dit, resident=2)
    before = gpu.allocated_bytes()
    streamed(dit, resident=2)
    assert gpu.allocated_bytes() == before


@pytest.mark.parametrize("side, n_streamed", [(256, 6), (768, 4)])
def test_the_peak_is_as_planned(resident, dit, side, n_streamed):
    networks = Networks(transformer=CONFIG, text=QWEN3_4B, autoencoder=FLUX_VAE)
    picture = Picture(width=side, height=side, caption_tokens=17)
    large_gpu = Machine(kind="cuda", free_device=10**12, free_ram=10**12)
    planned = next(each for each in transformer_placements(networks, picture, large_gpu) if each.streamed == n_streamed)
    latent_size = picture.cells(networks)

    def run():
        with stream(dit, gpu.DEVICE, resident=N_LAYERS - n_streamed) as blocks:
            with blocks.preparing():
                velocity = prepared(dit, blocks.run, latent_size)
            velocities(velocity, latent_size)

    velocities(prepared(resident, latent_size=latent_size), latent_size)  # allocates library workspaces
    assert gpu.peak_bytes(run) == pytest.approx(planned.peak, rel=0.1)


@pytest.mark.parametrize("scheme", [INT8, FP8], ids=lambda scheme: scheme.name)
def test_8_bit_layers_are_streamed_bit_for_bit(scheme):
    if scheme is FP8 and not has_fp8_gemm(gpu.DEVICE):
        pytest.skip("this GPU has no E4M3 GEMM")
    whole = gpu.transformer(config=CONFIG)
    quantize_layers(whole, scheme)
    dit = copy.deepcopy(whole).cpu()
    assert same(streamed(dit, resident=2), velocities(prepared(whole)))
    assert same(streamed(dit, resident=2, arena_limit=0), velocities(prepared(whole)))
