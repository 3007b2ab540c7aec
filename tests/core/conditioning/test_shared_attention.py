"""Attention shared with reference pictures, against dense attention written out in float64."""

import math

import pytest
import torch

from zimage_core.attention import sdpa
from zimage_core.conditioning.shared_attention import SharedLayers, offsets_beside, shared_bytes

IMAGE = slice(3, 7)


def tokens(seed, n=9):
    generator = torch.Generator().manual_seed(seed)
    return tuple(torch.randn(1, 2, n, 16, generator=generator) for _ in range(3))


def dense(q, k, v, bias):
    """softmax(q k.T / sqrt(e) + bias) v in float64, heads concatenated."""
    q, k, v = (each.double() for each in (q, k, v))
    out = (q @ k.mT / math.sqrt(q.shape[-1]) + bias).softmax(-1) @ v
    return out.transpose(1, 2).flatten(2).float()


@pytest.mark.parametrize("strength", [0.25, 1.0, 3.0])
def test_reference_tokens_count_by_their_strength(strength):
    shared, reference, own = SharedLayers(), tokens(1), tokens(2)
    shared.recording(0, IMAGE, sdpa)(*reference)
    q, k, v = (each.repeat(2, 1, 1, 1) for each in own)
    out = shared.sharing(0, strength, sdpa)(q, k, v)
    key, value = (
        torch.cat((mine, other[:, :, IMAGE].repeat(2, 1, 1, 1)), dim=2)
        for mine, other in zip((k, v), reference[1:], strict=True)
    )
    bias = torch.tensor([0.0] * 9 + [math.log(strength)] * 4).double()
    torch.testing.assert_close(out, dense(q, key, value, bias), rtol=0, atol=2e-6)


def test_strength_counts_a_token_as_often_as_copies_of_it():
    once, twice, own = SharedLayers(), SharedLayers(), tokens(2)
    once.recording(0, IMAGE, sdpa)(*tokens(1))
    for _ in range(2):
        twice.recording(0, IMAGE, sdpa)(*tokens(1))
    out = once.sharing(0, 2.0, sdpa)(*own)
    torch.testing.assert_close(out, twice.sharing(0, 1.0, sdpa)(*own), rtol=0, atol=2e-6)


def test_recording_changes_nothing():
    assert torch.equal(SharedLayers().recording(0, IMAGE, sdpa)(*tokens(1)), sdpa(*tokens(1)))


def test_no_two_pictures_share_a_position():
    picture, references = (4, 6), [(5, 3), (2, 2)]
    corners = [(0, 0), *offsets_beside(picture, references)]
    cells = [
        {(down + y, across + x) for y in range(rows) for x in range(columns)}
        for (down, across), (rows, columns) in zip(corners, [picture, *references], strict=True)
    ]
    assert len(set().union(*cells)) == sum(map(len, cells))


def test_bytes_of_a_megapixel_in_the_full_model():
    assert shared_bytes(30, 4096, 3840, 2) == 30 * 2 * (4096 * 3840) * 2
