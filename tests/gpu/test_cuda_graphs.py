"""Recorded steps on the card: the plain ones' bits, nothing that waits, and every byte given back."""

import pytest
import torch

import gpu
from gpu import randn
from zimage_core.adapters import Lora, injected
from zimage_core.adapters.deltas.low_rank import LowRank
from zimage_core.adapters.lora import Target
from zimage_core.quant import FP8, INT8, INT8_UNROTATED, quantize_layers
from zimage_core.quant.fp8 import has_fp8_gemm
from zimage_core.runtime.attention_choice import Fastest
from zimage_core.runtime.cuda_graphs import Graphs

SIGMAS = (1.0, 0.7, 0.25)
GEOMETRIES = ((16, 24), (24, 16))  # as many cells, so nothing but the shape tells them apart


@pytest.fixture(scope="module")
def dit():
    return gpu.transformer()


def condition_of(dit, cells=GEOMETRIES[0], seed=0):
    return dit.prepare([randn(17, gpu.SHALLOW_TURBO.cap_feat_dim, seed=seed)], cells)


def latent(cells=GEOMETRIES[0], seed=0):
    return randn(1, 16, *cells, seed=seed, dtype=torch.float32)


@pytest.mark.parametrize("is_dropped", [False, True], ids=["kept", "dropped in between"])
def test_prompts_noise_levels_latents_and_sizes_give_the_plain_steps_bits(dit, is_dropped):
    graphs = Graphs(dit)
    for prompt in range(3):
        for cells in GEOMETRIES:
            condition = condition_of(dit, cells, seed=prompt)
            plain, recorded = dit.flow(condition, SIGMAS), dit.flow(condition, SIGMAS, network=graphs)
            for turn, sigma in enumerate((*SIGMAS, 0.4)):
                x = latent(cells, seed=10 * prompt + turn)
                assert torch.equal(recorded(x, sigma), plain(x, sigma))
        if is_dropped:
            graphs.drop()


def test_positive_and_negative_prompt_in_turns_are_never_mixed(dit):
    graphs, x = Graphs(dit), latent()
    conditions = [condition_of(dit, seed=seed) for seed in (1, 2)]
    plain = [dit.flow(condition)(x, 0.5) for condition in conditions]
    recorded = [dit.flow(condition, network=graphs) for condition in conditions]
    kept = [velocity(x, 0.5) for velocity in recorded for _ in range(2)]
    for answer, expected in zip(kept, (plain[0], plain[0], plain[1], plain[1]), strict=True):
        assert torch.equal(answer, expected)


def test_an_older_graph_is_right_after_others_have_been_recorded(dit):
    """Graphs whose memory overlapped would answer with each other's numbers."""
    graphs, cells = Graphs(dit), [*GEOMETRIES, (32, 32), (8, 8)]
    velocities = [
        (dit.flow(condition_of(dit, each)), dit.flow(condition_of(dit, each), network=graphs), latent(each))
        for each in cells
    ]
    for _ in range(2):
        for plain, recorded, x in velocities:
            assert torch.equal(recorded(x, 0.5), plain(x, 0.5))


def test_a_lora_that_comes_and_goes_is_in_the_recording(dit):
    width = gpu.SHALLOW_TURBO.dim
    change = LowRank(up=randn(width, 4, seed=1).cpu(), down=randn(4, width, seed=2).cpu())
    lora = Lora(file="", family="", deltas={Target("layers.0.attention.out.weight"): change})
    condition, x = condition_of(dit), latent()
    recorded, plain = dit.flow(condition, network=Graphs(dit)), dit.flow(condition)
    before = recorded(x, 0.5)
    with injected(dit, (lora, 0.1)):
        changed = plain(x, 0.5)
        assert not torch.equal(changed, before)
        assert torch.equal(recorded(x, 0.5), changed)
    assert torch.equal(recorded(x, 0.5), before)


def test_a_recorded_step_never_waits_for_the_card(dit):
    conditions = [condition_of(dit, seed=seed) for seed in (1, 2)]
    graphs = Graphs(dit)
    velocities = [dit.flow(condition, SIGMAS, network=graphs) for condition in conditions]
    x = latent()
    expected = [velocity(x, 0.7) for velocity in velocities]
    with gpu.no_host_sync():
        found = [velocity(x, 0.7) for velocity in velocities]
    assert all(torch.equal(*pair) for pair in zip(found, expected, strict=True))


def test_dropped_graphs_leave_no_byte_behind(dit):
    """But for what libraries keep for good, which a first recording makes."""
    condition, x = condition_of(dit), latent()

    def record():
        graphs = Graphs(dit)
        dit.flow(condition, network=graphs)(x, 0.5)
        during = gpu.allocated_bytes()
        graphs.drop()
        return during

    record()
    before = gpu.allocated_bytes()
    assert record() > before
    assert gpu.allocated_bytes() == before
    for _ in range(6):  # every recording must not have a stream, and so a workspace, of its own
        record()
    assert gpu.allocated_bytes() == before


def test_an_attention_chosen_by_measuring_is_chosen_before_the_recording(dit, monkeypatch):
    """Measuring waits for the card, which a recording forbids."""
    attend, network = Fastest(), dit.network

    def run(stage, index, block, tokens):
        return block(tokens, stage.rope, stage.norm_scales[index], attend)

    monkeypatch.setattr(dit, "network", lambda *given: network(*given, run))
    condition, x = condition_of(dit), latent()
    recorded = dit.flow(condition, network=Graphs(dit))(x, 0.5)
    assert attend.chosen
    assert torch.equal(recorded, dit.flow(condition, network=dit.network)(x, 0.5))


@pytest.mark.parametrize("scheme", [INT8, INT8_UNROTATED, FP8], ids=lambda scheme: scheme.name)
def test_8_bit_layers_are_recorded_bit_for_bit_and_never_wait(scheme):
    if scheme is FP8 and not has_fp8_gemm(gpu.DEVICE):
        pytest.skip("this card does not multiply E4M3")
    dit = gpu.transformer()
    quantize_layers(dit, scheme)
    condition, x = condition_of(dit), latent()
    plain, recorded = dit.flow(condition, SIGMAS), dit.flow(condition, SIGMAS, network=Graphs(dit))
    expected = plain(x, 0.7)
    assert torch.equal(recorded(x, 0.7), expected)
    with gpu.no_host_sync():
        again = plain(x, 0.7), recorded(x, 0.7)
    assert all(torch.equal(found, expected) for found in again)
