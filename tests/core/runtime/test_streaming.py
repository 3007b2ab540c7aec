"""Streaming changes where weights are, never what comes out; its order of copies is held against a clock of its own."""

from contextlib import contextmanager

import pytest
import torch
from torch import nn

from memory import LiveBytesMode
from streamed_network import SIGMAS, check_untouched, inputs, network, prepared, state_of, velocities
from zimage_core.model.condition import run_block
from zimage_core.runtime.offload.streaming import stream


@pytest.mark.slow
@pytest.mark.parametrize("is_used_so", [True, False], ids=["used in inference mode", "used outside of it"])
@pytest.mark.parametrize("is_made_so", [True, False], ids=["made in inference mode", "made outside of it"])
@pytest.mark.parametrize("arena_limit", [None, 0], ids=["arena", "no arena"])
def test_a_model_streams_whatever_mode_it_was_made_in(arena_limit, is_made_so, is_used_so):
    expected = velocities(network())
    with torch.inference_mode(is_made_so):
        dit = network()

    def run(**options):
        with torch.inference_mode(is_used_so), torch.no_grad():
            return velocities.__wrapped__(dit, **options)

    for found in (run(resident=2, arena_limit=arena_limit), run()):
        assert all(torch.equal(each, truth) for each, truth in zip(found, expected, strict=True))


@pytest.mark.slow
@pytest.mark.parametrize("limit", [None, 0], ids=["arena", "own memory"])
@pytest.mark.parametrize("resident", [0, 1, 4, 5, 6, 7])
def test_streamed_is_bit_equal_to_whole(resident, limit):
    dit = network()
    before, plain = state_of(dit), velocities(dit)
    for found, expected in zip(velocities(dit, resident=resident, arena_limit=limit), plain, strict=True):
        assert torch.equal(found, expected)
    check_untouched(dit, before)
    for found, expected in zip(velocities(dit), plain, strict=True):
        assert torch.equal(found, expected)


def test_a_block_that_fails_leaves_the_model_whole_and_the_stream_usable():
    dit = network()
    before, plain = state_of(dit), velocities(dit)
    latent, _ = inputs()
    seen = []

    def fail_once(stage, index, block, x):
        seen.append((stage.name, index))
        if seen.count(("layers", 3)) == 1 and seen[-1] == ("layers", 3):
            raise InterruptedError
        return run_block(stage, index, block, x)

    with torch.inference_mode(), stream(dit, "cpu", resident=1, base_run_block=fail_once) as blocks:
        with blocks.preparing():
            velocity = prepared(dit, blocks)
        with pytest.raises(InterruptedError):
            velocity(latent, SIGMAS[0])
        check_untouched(dit, before)
        for sigma, expected in zip(SIGMAS, plain, strict=True):
            assert torch.equal(velocity(latent, sigma), expected)
    with pytest.raises(InterruptedError), stream(dit, "cpu", resident=1):
        raise InterruptedError
    check_untouched(dit, before)


def test_after_the_end_the_stream_runs_blocks_as_they_are():
    dit = network()
    latent, _ = inputs()
    with torch.inference_mode():
        with stream(dit, "cpu", resident=2) as blocks:
            velocity = prepared(dit, blocks)
            inside = velocity(latent, 0.6)
        assert torch.equal(velocity(latent, 0.6), inside)


class Packed(nn.Module):
    """A quantised layer in small: 8-bit rows as a parameter, a scale as a buffer and a matrix stored by columns."""

    def __init__(self, linear):
        super().__init__()
        scale = linear.weight.abs().amax(dim=1, keepdim=True) / 127
        packed = (linear.weight / scale).round().to(torch.int8).t().contiguous().t()
        self.weight = nn.Parameter(packed, requires_grad=False)
        self.register_buffer("scale", scale)
        self.register_buffer("offset", torch.tensor(0.0))

    def forward(self, x):
        assert self.weight.stride(0) == 1  # as it was stored
        return nn.functional.linear(x, self.weight.float() * self.scale) + self.offset


def test_buffers_and_8_bit_weights_are_streamed_as_they_are():
    dit = network()
    for block in dit.layers:
        block.feed_forward.w1 = Packed(block.feed_forward.w1)
    before, plain = state_of(dit), velocities(dit)
    for found, expected in zip(velocities(dit, resident=2), plain, strict=True):
        assert torch.equal(found, expected)
    check_untouched(dit, before)


def test_a_weight_of_another_class_is_refused_in_a_sentence():
    class Hidden(nn.Parameter):
        pass

    dit = network()
    layer = dit.layers[3].feed_forward.w2
    layer.weight = Hidden(layer.weight.data, requires_grad=False)
    with pytest.raises(ValueError, match="Hidden cannot be streamed"), stream(dit, "cpu", resident=0):
        pass
    with pytest.raises(ValueError, match="choose 0 to 7"), stream(dit, "cpu", resident=8):
        pass


def layer_bytes(dit):
    linears = ("attention.qkv", "attention.out", "feed_forward.w1", "feed_forward.w2", "feed_forward.w3")
    return sum(dit.layers[0].get_submodule(name).weight.nbytes for name in linears)


@contextmanager
def counting(dit):
    """Bytes alive, the model's own counted from the start, as copies also return what they were given."""
    with torch.inference_mode(), LiveBytesMode() as counter:
        for parameter in dit.parameters():
            parameter.data  # noqa: B018 (an operation, which the counter sees)
        yield counter


def test_slots_are_two_blocks_and_an_arena_takes_the_place_of_the_blocks_in_it():
    dit = network()
    with counting(dit) as counter:
        start = counter.now
        with stream(dit, "cpu", resident=2):
            # five blocks moved, so only the slots are new; what alignment adds is less than 256 bytes a tensor
            assert 0 <= counter.now - start - 2 * layer_bytes(dit) <= (5 + 2) * 5 * 256
            assert counter.peak - start <= (5 + 2) * layer_bytes(dit) + (5 + 2) * 5 * 256
        assert 0 <= counter.now - start <= 5 * 5 * 256


def test_without_an_arena_only_the_slots_are_new():
    dit = network()
    with counting(dit) as counter:
        start = counter.now
        with stream(dit, "cpu", resident=2, arena_limit=1):
            assert 0 <= counter.peak - start - 2 * layer_bytes(dit) <= 2 * 5 * 256
        assert counter.now == start


def step_peaks(counter, velocity):
    """Bytes that steps add at their peak; what is made once, or was handed in, is counted before."""
    latent, _ = inputs()
    velocity(latent, 0.6)
    for _ in range(4):
        before = counter.peak = counter.now
        velocity(latent, 0.6)
        yield counter.peak - before
        assert counter.now == before


def test_steps_allocate_nothing_of_their_own():
    dit = network()
    with counting(dit) as counter:
        whole = list(step_peaks(counter, prepared(dit)))
    with counting(dit) as counter, stream(dit, "cpu", resident=2) as blocks:
        assert list(step_peaks(counter, prepared(dit, blocks))) == whole
