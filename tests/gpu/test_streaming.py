"""Blocks streamed from main memory on a real card: the same bits, memory locked and let go, copies behind the work."""

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
CELLS = (16, 24)


@pytest.fixture(scope="module")
def resident():
    """The transformer on the card, whole."""
    return gpu.transformer(config=CONFIG)


@pytest.fixture
def dit(resident):
    """The same in main memory."""
    return copy.deepcopy(resident).cpu()


def prepared(dit, run=run_block, cells=CELLS):
    condition = dit.prepare([randn(17, CONFIG.cap_feat_dim, seed=1)], cells, run=run)
    return dit.flow(condition, SIGMAS, run=run)


def answers(velocity, cells=CELLS):
    return [velocity(randn(1, 16, *cells, seed=turn, dtype=torch.float32), sigma) for turn, sigma in enumerate(SIGMAS)]


def streamed(dit, **options):
    with stream(dit, gpu.DEVICE, **options) as blocks:
        with blocks.preparing():
            velocity = prepared(dit, blocks.run)
        return answers(velocity)


def same(found, expected):
    return all(torch.equal(*pair) for pair in zip(found, expected, strict=True))


def check_home(dit, before):
    """Everything is on the host again, with its own values."""
    for name, tensor in dit.named_parameters():
        assert tensor.device.type == "cpu" and torch.equal(tensor, before.get_parameter(name).cpu()), name


@pytest.mark.parametrize("n_resident, limit", [(0, None), (1, None), (4, None), (5, None), (6, None), (0, 0), (3, 0)])
def test_streamed_is_bit_equal_to_resident(resident, dit, n_resident, limit):
    assert same(streamed(dit, resident=n_resident, arena_limit=limit), answers(prepared(resident)))
    check_home(dit, resident)


def test_after_an_interruption_the_next_step_is_right(resident, dit):
    seen = []

    def broken(stage, index, block, x):
        seen.append((stage.name, index))
        if seen[-1] == ("layers", 3) and seen.count(("layers", 3)) == 1:
            raise InterruptedError
        return run_block(stage, index, block, x)

    expected = answers(prepared(resident))
    with stream(dit, gpu.DEVICE, resident=1, base_run_block=broken) as blocks:
        with blocks.preparing():
            velocity = prepared(dit, blocks.run)
        with pytest.raises(InterruptedError):
            answers(velocity)
        check_home(dit, resident)
        assert same(answers(velocity), expected)
    check_home(dit, resident)


def test_a_card_without_room_leaves_the_model_whole(resident, dit):
    """Memory runs out inside a step: the error is PyTorch's own, and a smaller picture draws on."""

    def greedy(stage, index, block, x):
        if (stage.name, index) == ("layers", 2) and is_greedy:
            torch.empty(2**42, device=gpu.DEVICE)
        return run_block(stage, index, block, x)

    is_greedy, expected = True, answers(prepared(resident))
    with stream(dit, gpu.DEVICE, resident=0, base_run_block=greedy) as blocks:
        with blocks.preparing():
            velocity = prepared(dit, blocks.run)
        with pytest.raises(torch.OutOfMemoryError):
            answers(velocity)
        is_greedy = False
        assert same(answers(velocity), expected)
    check_home(dit, resident)


def test_streamed_blocks_are_locked_in_memory_and_let_go(dit):
    def locked():
        return [block.attention.qkv.weight.is_pinned() for block in dit.layers]

    for _ in range(2):
        with stream(dit, gpu.DEVICE, resident=2):
            assert locked().count(True) == N_LAYERS - 2
        assert not any(locked())


def test_memory_that_cannot_be_locked_is_told_apart_and_the_refusal_is_forgotten():
    copy_stream, memory = CudaCopyStream(gpu.DEVICE), torch.empty(2**22, dtype=torch.uint8)
    assert copy_stream.pin(memory)
    assert not copy_stream.pin(memory)  # it is locked already
    assert torch.ones(3, device=gpu.DEVICE).add(1).tolist() == [2.0, 2.0, 2.0]  # no error of before comes up here
    assert memory.is_pinned()
    copy_stream.unpin(memory)
    assert not memory.is_pinned()


def test_blocks_in_memory_that_is_not_locked_give_the_same(resident, dit):
    class Refused(CudaCopyStream):
        def pin(self, memory):
            return False

    assert same(streamed(dit, resident=2, copy_stream=Refused(gpu.DEVICE)), answers(prepared(resident)))
    assert any("would not lock" in sentence for sentence in gpu.WARNINGS.sentences)


def test_a_streamed_step_never_waits_for_the_card(dit):
    with stream(dit, gpu.DEVICE, resident=2) as blocks:
        with blocks.preparing():
            velocity = prepared(dit, blocks.run)
        expected = answers(velocity)
        x = [randn(1, 16, *CELLS, seed=turn, dtype=torch.float32) for turn in range(len(SIGMAS))]
        with gpu.no_host_sync():
            found = [velocity(each, sigma) for each, sigma in zip(x, SIGMAS, strict=True)]
    assert same(found, expected)


def test_everything_is_given_back(dit):
    streamed(dit, resident=2)
    before = gpu.allocated_bytes()
    streamed(dit, resident=2)
    assert gpu.allocated_bytes() == before


@pytest.mark.parametrize("side, n_streamed", [(256, 6), (768, 4)])
def test_the_peak_is_the_plans(resident, dit, side, n_streamed):
    networks = Networks(transformer=CONFIG, text=QWEN3_4B, autoencoder=FLUX_VAE)
    picture = Picture(width=side, height=side, caption_tokens=17)
    roomy = Machine(kind="cuda", free_device=10**12, free_ram=10**12)
    planned = next(each for each in transformer_placements(networks, picture, roomy) if each.streamed == n_streamed)
    cells = picture.cells(networks)

    def run():
        with stream(dit, gpu.DEVICE, resident=N_LAYERS - n_streamed) as blocks:
            with blocks.preparing():
                velocity = prepared(dit, blocks.run, cells)
            answers(velocity, cells)

    answers(prepared(resident, cells=cells), cells)  # what libraries keep is there already
    assert gpu.peak_bytes(run) == pytest.approx(planned.peak, rel=0.1)


@pytest.mark.parametrize("scheme", [INT8, FP8], ids=lambda scheme: scheme.name)
def test_8_bit_layers_are_streamed_bit_for_bit(scheme):
    if scheme is FP8 and not has_fp8_gemm(gpu.DEVICE):
        pytest.skip("this card does not multiply E4M3")
    whole = gpu.transformer(config=CONFIG)
    quantize_layers(whole, scheme)
    dit = copy.deepcopy(whole).cpu()
    assert same(streamed(dit, resident=2), answers(prepared(whole)))
    assert same(streamed(dit, resident=2, arena_limit=0), answers(prepared(whole)))
