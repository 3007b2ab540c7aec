"""Captured steps on a GPU: the eager steps' bits, no synchronization, and every byte freed."""

import pytest
import torch

import gpu
from gpu import randn
from zimage_core.adapters import Lora, injected
from zimage_core.adapters.deltas.low_rank import LowRank
from zimage_core.adapters.lora import Target
from zimage_core.quant import FP8, INT8, INT8_UNROTATED, quantize_layers
from zimage_core.quant.fp8 import has_fp8_gemm
from zimage_core.runtime.attention_choice import FastestAttention
from zimage_core.runtime.cuda_graphs import CapturedNetwork

SIGMAS = (1.0, 0.7, 0.25)
LATENT_SIZES = ((16, 24), (24, 16))  # equal numbers of latent cells: only the shape differs


@pytest.fixture(scope="module")
def dit():
    return gpu.transformer()


def condition_of(dit, latent_size=LATENT_SIZES[0], seed=0):
    return dit.prepare([randn(17, gpu.SHALLOW_TURBO.cap_feat_dim, seed=seed)], latent_size)


def latent(latent_size=LATENT_SIZES[0], seed=0):
    return randn(1, 16, *latent_size, seed=seed, dtype=torch.float32)


@pytest.mark.parametrize("is_dropped", [False, True], ids=["kept", "dropped in between"])
def test_prompts_noise_levels_latents_and_sizes_give_the_eager_steps_bits(dit, is_dropped):
    network = CapturedNetwork(dit)
    for prompt in range(3):
        for latent_size in LATENT_SIZES:
            condition = condition_of(dit, latent_size, seed=prompt)
            eager, captured = dit.flow(condition, SIGMAS), dit.flow(condition, SIGMAS, network=network)
            for step, sigma in enumerate((*SIGMAS, 0.4)):
                x = latent(latent_size, seed=10 * prompt + step)
                assert torch.equal(captured(x, sigma), eager(x, sigma))
        if is_dropped:
            network.steps.drop()


def test_alternating_positive_and_negative_prompts_are_never_mixed(dit):
    network, x = CapturedNetwork(dit), latent()
    conditions = [condition_of(dit, seed=seed) for seed in (1, 2)]
    eager = [dit.flow(condition)(x, 0.5) for condition in conditions]
    captured = [dit.flow(condition, network=network) for condition in conditions]
    outputs = [velocity(x, 0.5) for velocity in captured for _ in range(2)]
    for out, expected in zip(outputs, (eager[0], eager[0], eager[1], eager[1]), strict=True):
        assert torch.equal(out, expected)


def test_an_older_graph_is_right_after_others_have_been_captured(dit):
    """Graphs whose memory overlapped would return each other's numbers."""
    network, latent_sizes = CapturedNetwork(dit), [*LATENT_SIZES, (32, 32), (8, 8)]
    velocities = [
        (dit.flow(condition_of(dit, each)), dit.flow(condition_of(dit, each), network=network), latent(each))
        for each in latent_sizes
    ]
    for _ in range(2):
        for eager, captured, x in velocities:
            assert torch.equal(captured(x, 0.5), eager(x, 0.5))


def test_a_lora_that_comes_and_goes_is_captured_with_the_step(dit):
    width = gpu.SHALLOW_TURBO.dim
    change = LowRank(up=randn(width, 4, seed=1).cpu(), down=randn(4, width, seed=2).cpu())
    lora = Lora(file="", family="", deltas={Target("layers.0.attention.out.weight"): change})
    condition, x = condition_of(dit), latent()
    captured, eager = dit.flow(condition, network=CapturedNetwork(dit)), dit.flow(condition)
    before = captured(x, 0.5)
    with injected(dit, (lora, 0.1)):
        changed = eager(x, 0.5)
        assert not torch.equal(changed, before)
        assert torch.equal(captured(x, 0.5), changed)
    assert torch.equal(captured(x, 0.5), before)


def test_a_captured_step_never_syncs(dit):
    conditions = [condition_of(dit, seed=seed) for seed in (1, 2)]
    network = CapturedNetwork(dit)
    velocities = [dit.flow(condition, SIGMAS, network=network) for condition in conditions]
    x = latent()
    expected = [velocity(x, 0.7) for velocity in velocities]
    with gpu.no_sync():
        found = [velocity(x, 0.7) for velocity in velocities]
    assert all(torch.equal(*pair) for pair in zip(found, expected, strict=True))


def test_dropped_graphs_free_all_memory(dit):
    """Except for library workspaces, which the first capture allocates permanently."""
    condition, x = condition_of(dit), latent()

    def capture():
        network = CapturedNetwork(dit)
        dit.flow(condition, network=network)(x, 0.5)
        during = gpu.allocated_bytes()
        network.steps.drop()
        return during

    capture()
    before = gpu.allocated_bytes()
    assert capture() > before
    assert gpu.allocated_bytes() == before
    for _ in range(6):  # captures must share one stream, because each stream has its own workspace
        capture()
    assert gpu.allocated_bytes() == before


def test_an_attention_chosen_by_measuring_is_chosen_before_the_capture(dit, monkeypatch):
    """Measuring synchronizes, which is not allowed during a capture."""
    attend, network = FastestAttention(), dit.network

    def run(stage, index, block, tokens):
        return block(tokens, stage.rope, stage.norm_weights[index], attend)

    monkeypatch.setattr(dit, "network", lambda *given: network(*given, run))
    condition, x = condition_of(dit), latent()
    captured = dit.flow(condition, network=CapturedNetwork(dit))(x, 0.5)
    assert attend.chosen
    assert torch.equal(captured, dit.flow(condition, network=dit.network)(x, 0.5))


@pytest.mark.parametrize("scheme", [INT8, INT8_UNROTATED, FP8], ids=lambda scheme: scheme.name)
def test_8_bit_layers_are_captured_bit_for_bit_and_never_sync(scheme):
    if scheme is FP8 and not has_fp8_gemm(gpu.DEVICE):
        pytest.skip("this GPU has no E4M3 GEMM")
    dit = gpu.transformer()
    quantize_layers(dit, scheme)
    condition, x = condition_of(dit), latent()
    eager, captured = dit.flow(condition, SIGMAS), dit.flow(condition, SIGMAS, network=CapturedNetwork(dit))
    expected = eager(x, 0.7)
    assert torch.equal(captured(x, 0.7), expected)
    with gpu.no_sync():
        again = eager(x, 0.7), captured(x, 0.7)
    assert all(torch.equal(found, expected) for found in again)
