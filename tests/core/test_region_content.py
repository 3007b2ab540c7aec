"""What a region is filled with and resampled to: colour match, fills, padding, ratios."""

import pytest
import torch

from region_masks import SIZES, mask_of, prepared
from zimage_core.regions import (
    Margins,
    check_shape,
    cover,
    feather,
    fill_hole,
    margins_to_ratio,
    pad_picture,
    paste,
    resample,
)
from zimage_core.regions.stitch import match_colors


@pytest.mark.parametrize("gain", [0.7, 1.0, 1.4])
@pytest.mark.parametrize("offset", [-0.1, 0.0, 0.15])
def test_colour_match_undoes_a_gain_and_an_offset(gain, offset, generator):
    """In closed form: the surroundings show the same picture, so the fit is exact, and the inside follows."""
    originals = 0.3 + 0.3 * torch.rand(2, 3, 24, 24, generator=generator)
    weights = (torch.rand(2, 1, 24, 24, generator=generator) < 0.5).float()
    found = match_colors(originals * gain + offset, originals, weights)
    torch.testing.assert_close(found, originals, atol=1e-6, rtol=0)  # float32 rounding of the input


def test_colour_match_has_half_its_effect_at_half_its_strength(generator):
    pictures = 0.3 + 0.3 * torch.rand(1, 3, 32, 32, generator=generator)
    masks = mask_of((32, 32), *((row, column) for row in range(8, 24) for column in range(8, 24)))
    crop, stitch, _ = prepared(pictures, masks, context=4.0)
    off, half, full = (paste(crop * 0.8 + 0.1, stitch, strength) for strength in (0.0, 0.5, 1.0))
    inside = masks.expand(3, -1, -1)[None]
    assert torch.equal(off[inside], (crop * 0.8 + 0.1)[inside])
    torch.testing.assert_close(full, pictures, atol=1e-6, rtol=0)
    torch.testing.assert_close(half, (off + full) / 2, atol=1e-6, rtol=0)


def test_flat_or_unrelated_surroundings_move_brightness_but_not_contrast(generator):
    weights = torch.ones(1, 1, 64, 64)
    flat = torch.full((1, 3, 64, 64), 0.5)
    noisy = flat + 0.01 * torch.randn(1, 3, 64, 64, generator=generator) - 0.1
    found = match_colors(noisy, flat, weights)
    torch.testing.assert_close(found, noisy - noisy.mean(dim=(-2, -1), keepdim=True) + 0.5)


def test_colours_are_compared_only_in_latent_cells_that_were_kept(generator):
    """What the sampler repainted shows something else, even where little of it shows through the feather."""
    pictures = 0.3 + 0.3 * torch.rand(1, 3, 32, 32, generator=generator)
    masks = mask_of((32, 32), *((row, column) for row in range(12, 20) for column in range(12, 20)))
    crop, stitch, _ = prepared(pictures, masks, width=3, context=4.0)
    repainted = torch.zeros(1, 1, 32, 32)
    repainted[..., 8:24, 8:24] = 1
    painted = torch.where(repainted > 0, torch.rand(1, 3, 32, 32, generator=generator), crop)
    assert torch.equal(paste(painted, stitch, 1.0), paste(painted, stitch, 0.0))


def test_nothing_to_compare_with_means_no_match(generator):
    results = torch.rand(1, 3, 8, 8, generator=generator)
    assert torch.equal(match_colors(results, torch.zeros(1, 3, 8, 8), torch.zeros(1, 1, 8, 8)), results)


@pytest.mark.parametrize("fill", ["surroundings", "grey", "original"])
def test_a_fill_changes_the_hole_only(fill, generator):
    pictures = torch.rand(2, 3, 33, 50, generator=generator)
    alpha = feather(torch.rand(2, 33, 50, generator=generator) < 0.01, 2, 3)
    found = fill_hole(pictures, alpha, fill)
    kept = (alpha == 0)[:, None].expand_as(found)
    assert torch.equal(found[kept], pictures[kept])
    inside = (alpha == 1)[:, None].expand_as(found)
    assert torch.equal(found[inside], pictures[inside]) == (fill == "original")


def test_surroundings_of_one_colour_fill_a_hole_with_it_and_stay_in_range(generator):
    alpha = feather(mask_of((37, 61), (10, 10), (30, 50)), 9, 4)
    colour = torch.rand(1, 3, 1, 1, generator=generator)
    pictures = torch.where((alpha > 0)[:, None], torch.rand(1, 3, 37, 61, generator=generator), colour)
    found = fill_hole(pictures, (alpha > 0).float(), "surroundings")
    torch.testing.assert_close(found, colour.expand_as(found))
    unknown = fill_hole(pictures, torch.ones(1, 37, 61), "surroundings")
    torch.testing.assert_close(unknown, torch.full_like(unknown, 0.5))


def test_an_unknown_fill_is_refused():
    with pytest.raises(ValueError, match="original, surroundings, grey"):
        fill_hole(torch.zeros(1, 3, 4, 4), torch.zeros(1, 4, 4), "lava")


def test_padding_continues_the_edge_and_masks_what_is_new(generator):
    pictures = torch.rand(2, 4, 5, 7, generator=generator)
    margins = Margins(left=3, top=1, right=40, bottom=2)
    canvas, is_new = pad_picture(pictures, margins)
    expected = torch.nn.functional.pad(pictures, (3, 40, 1, 2), mode="replicate")
    assert torch.equal(canvas, expected)
    assert torch.equal(canvas[..., 1:6, 3:10], pictures)
    assert int((~is_new).sum()) == 5 * 7 and not is_new[0, 1:6, 3:10].any()


@pytest.mark.parametrize(
    ("size", "ratio", "anchor", "margins"),
    [
        ((100, 100), (16, 9), "middle", Margins(left=39, right=39)),
        ((100, 100), (9, 16), "left or top", Margins(bottom=78)),
        ((100, 300), (1, 1), "right or bottom", Margins(top=200)),
        ((90, 160), (16, 9), "middle", Margins()),
    ],
)
def test_a_ratio_is_reached_by_adding_only(size, ratio, anchor, margins):
    assert margins_to_ratio(size, ratio, anchor) == margins


def test_negative_margins_are_refused():
    with pytest.raises(ValueError, match="must not be negative"):
        Margins(left=-1)


@pytest.mark.parametrize("size", SIZES)
def test_covering_never_stretches_and_gives_the_size(size, generator):
    pictures = torch.rand(1, 3, *size, generator=generator)
    assert torch.equal(cover(pictures, size), pictures)
    assert cover(pictures, (48, 80)).shape == (1, 3, 48, 80)
    slope = torch.linspace(0, 1, 100).expand(1, 3, 50, -1)
    found = cover(slope, (48, 48))  # scaled to 48 x 96, then cropped to the middle half
    torch.testing.assert_close(found[0, 0, 0], torch.linspace(0, 1, 96)[24:72], atol=5e-3, rtol=0)


def test_resampling_keeps_a_colour_and_the_range(generator):
    flat = torch.full((1, 3, 20, 30), 0.3)
    torch.testing.assert_close(resample(flat, (64, 48)), torch.full((1, 3, 64, 48), 0.3))
    edges = (torch.rand(1, 3, 20, 30, generator=generator) < 0.5).float()
    assert resample(edges, (61, 77)).min() >= 0 and resample(edges, (61, 77)).max() <= 1


def test_a_picture_of_other_proportions_is_not_the_region():
    _, stitch, _ = prepared(torch.zeros(1, 3, 64, 64), torch.ones(1, 64, 64, dtype=torch.bool))
    check_shape((128, 128), stitch)
    with pytest.raises(ValueError, match="64x128 pixels is not the region"):
        check_shape((128, 64), stitch)
