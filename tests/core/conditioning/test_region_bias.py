"""Regions in attention against a dense mask in float64, and where they are."""

import math

import pytest
import torch

from zimage_core.attention import attention
from zimage_core.conditioning.region_area import Box, Boxes, MaskArea, caption_weights, token_coverage
from zimage_core.conditioning.region_bias import attend_with_bias, bias_channels, filled_bias, region_bias

LEFT, ALL = Box(x=0.0, y=0.0, width=0.5, height=1.0), Box(x=0.0, y=0.0, width=1.0, height=1.0)


def dense(lengths, weights, n_image):
    """What is added to the scores, entry by entry; -inf hides."""
    owner = [c for c, length in enumerate(lengths) for _ in range(length)]
    p = weights.shape[1]
    heard = [[float(row[i]) if i < p else float(row.mean()) for i in range(n_image)] for row in weights]
    n_text = len(owner)
    bias = torch.zeros(n_text + n_image, n_text + n_image, dtype=torch.float64)
    for t, c in enumerate(owner):
        for other, d in enumerate(owner):
            bias[t, other] = 0 if c == d else -math.inf
        for i in range(n_image):
            weight = heard[c][i]
            bias[n_text + i, t] = math.log(weight) if weight else -math.inf
            bias[t, n_text + i] = math.log(min(weight, 1)) if weight else -math.inf
    return bias


@pytest.mark.parametrize("width", [16, 24, 128])
def test_attention_is_that_of_a_dense_mask(width):
    generator = torch.Generator().manual_seed(0)
    weights = torch.tensor([[0.3, 0.3, 0.3, 1, 1, 0], [1, 2, 0.5, 0, 0, 0], [0, 0, 1, 1, 0, 0], [0, 0, 0, 0, 0, 1]])
    lengths, n_image = (3, 5, 2, 4), 8
    n = sum(lengths) + n_image
    q, k, v = (torch.randn(2, 3, n, width, generator=generator) for _ in range(3))
    channels = bias_channels(region_bias(lengths, weights, n_image), width, q)
    assert (width + channels.query.shape[-1]) % 8 == 0
    out = attend_with_bias(channels, attention, q, k, v)
    scores = q.double() @ k.double().mT / math.sqrt(width) + dense(lengths, weights, n_image)
    expected = (scores.softmax(-1) @ v.double()).transpose(1, 2).flatten(2)
    assert (out - expected).abs().max() <= 1e-5


def test_hidden_words_change_nothing():
    weights = torch.tensor([[1.0, 1, 0, 0], [0, 0, 1, 1]])
    q, k, v = (torch.randn(1, 2, 10, 16, generator=torch.Generator().manual_seed(seed)) for seed in range(3))
    channels = bias_channels(region_bias((3, 3), weights, 4), 16, q)
    out = attend_with_bias(channels, attention, q, k, v).unflatten(1, (10,))
    k[:, :, 3:6], v[:, :, 3:6] = 50, 50  # another second caption
    changed = attend_with_bias(channels, attention, q, k, v).unflatten(1, (10,))
    assert torch.equal(out[:, [0, 1, 2, 6, 7]], changed[:, [0, 1, 2, 6, 7]])
    assert not torch.allclose(out[:, 8:], changed[:, 8:])


def test_16_bits_hold_a_hidden_caption_too():
    weights = torch.tensor([[1.0, 0], [0, 1]])
    for dtype in (torch.float16, torch.bfloat16):
        channels = bias_channels(region_bias((1, 1), weights, 2), 16, torch.empty(0, dtype=dtype))
        bias = channels.query.float() @ channels.key.float().mT
        assert bias.isfinite().all() and bias[0, 0, 0, 1] < -500 and bias[0, 0, 2, 0] == 0


def test_fill_adds_nothing_to_the_bias_of_the_rest():
    bias = region_bias((2, 3), torch.tensor([[1.0, 0.5], [0.25, 1]]), 2)
    filled = filled_bias(bias, 5, 9, 6)
    whole, wide = (bias.query @ bias.key.mT)[0], (filled.query @ filled.key.mT)[0]
    kept = [0, 1, 2, 3, 4, 9, 10]
    assert torch.equal(wide[kept][:, kept], whole) and not wide[5:9].any()


def test_a_box_covers_tokens_by_area():
    assert torch.equal(token_coverage(ALL, (3, 5)), torch.ones(15))
    assert token_coverage(LEFT, (2, 5)).view(2, 5)[0].tolist() == pytest.approx([1, 1, 0.5, 0, 0])
    pixels = Box(x=16.0, y=0.0, width=24.0, height=16.0, unit="pixel")
    assert token_coverage(pixels, (2, 4)).view(2, 4).tolist() == [[0, 1, 0.5, 0], [0, 0, 0, 0]]
    assert token_coverage(Boxes((LEFT, pixels)), (2, 4)).view(2, 4).tolist() == [[1, 1, 0.5, 0], [1, 1, 0, 0]]


def test_one_pixel_takes_its_token():
    dot = torch.zeros(64, 64)
    dot[17, 40] = 1
    assert token_coverage(MaskArea(dot), (4, 4)).nonzero().flatten().tolist() == [6]
    assert token_coverage(MaskArea(dot), (4, 4)).max() == 1
    assert token_coverage(MaskArea(0.5 * dot), (4, 4)).max() == 0.5  # grey stays grey
    assert token_coverage(Box(x=0.3, y=0.3, width=0.001, height=0.001), (4, 4)).max() == 1
    assert token_coverage(MaskArea(torch.ones(3, 200)), (4, 4)).tolist() == [1] * 16


def test_a_box_of_pixels_outside_the_picture_is_refused():
    with pytest.raises(ValueError, match="outside the picture of 64x48 pixels"):
        token_coverage(Box(x=900.0, y=0.0, width=5.0, height=5.0, unit="pixel"), (3, 4))


@pytest.mark.parametrize(("values", "words"), [((0.2, 0, 0, 1), "covers nothing"), ((1, 0, 0.5, 1), "outside")])
def test_a_box_without_area_in_the_picture_is_refused(values, words):
    with pytest.raises(ValueError, match=words):
        Box(**{name: float(value) for name, value in zip(("x", "y", "width", "height"), values, strict=True)})


def test_weights_inside_outside_and_where_regions_overlap():
    covered = [torch.tensor([1.0, 1, 0, 0]), torch.tensor([0, 1.0, 0.5, 0])]
    settings = {"strengths": [2.0, 1.0], "outsides": [0.0, 0.5], "global_weights": [0.5, 0.0]}
    expected = [[0.5, 0, 0.5, 1], [2, 2, 0, 0], [0.5, 1, 0.75, 0.5]]
    assert caption_weights(covered, **settings).tolist() == expected
