"""Repainting a part of a picture: distances and fits in closed form, inverses, and pixels that must not change."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from region_masks import SIZES, mask_of, prepared
from zimage_core.regions import (
    feather,
    fit_masks,
    is_masked,
    latent_mask,
    paste,
    region_around,
    size_for,
)
from zimage_core.regions.crop import reflect_to
from zimage_core.regions.masks import distance, feather_everywhere


def brute_force_distance(mask):
    rows, columns = torch.meshgrid(*(torch.arange(side) for side in mask.shape), indexing="ij")
    pixels = torch.stack([rows, columns], dim=-1).reshape(-1, 2).float()
    hits = pixels[mask.flatten()]
    nearest = torch.cdist(pixels, hits).min(dim=1).values if len(hits) else torch.full((len(pixels),), math.inf)
    return nearest.reshape(mask.shape)


@pytest.mark.parametrize("limit", [1, 3, 50])
@pytest.mark.parametrize("density", [0.0, 0.002, 0.05, 1.0])
def test_distances_are_those_measured_pixel_by_pixel(density, limit, generator):
    masks = torch.rand(2, 23, 31, generator=generator) < density
    found = distance(masks, limit)
    for each, mask in zip(found, masks, strict=True):
        expected = brute_force_distance(mask)
        near = expected <= limit
        torch.testing.assert_close(each[near], expected[near])
        assert (each[~near] > limit).all()


def test_a_feather_is_one_inside_zero_outside_and_falls_monotonously_over_its_width():
    profile = feather(mask_of((5, 40), *((row, column) for row in range(5) for column in range(10))), 4, 6)[0, 2]
    assert (profile[:14] == 1).all()  # ten masked, four grown
    assert (profile[14:20] > 0).all() and (profile[14:20] < 1).all()
    assert (profile[20:] == 0).all()
    assert (profile.diff() <= 0).all()
    torch.testing.assert_close(profile[14:20] + profile[14:20].flip(0), torch.ones(6))  # symmetric about its middle


def test_a_grown_pixel_is_a_disc_and_a_shrunk_disc_the_pixel_again():
    disc = feather(mask_of((21, 21), (10, 10)), 5, 0) == 1
    rows, columns = torch.meshgrid(torch.arange(21), torch.arange(21), indexing="ij")
    assert torch.equal(disc[0], (rows - 10) ** 2 + (columns - 10) ** 2 <= 25)
    assert torch.equal(feather(disc, -5, 0) == 1, mask_of((21, 21), (10, 10)))


def test_growing_by_nothing_without_feather_is_the_mask(generator):
    masks = torch.rand(3, 12, 17, generator=generator) < 0.3
    assert torch.equal(feather(masks, 0, 0), masks.float())


@pytest.mark.parametrize(("grow", "width"), [(0, 0), (3, 5), (-2, 4), (-50, 3)])
def test_a_feather_is_the_same_whether_or_not_the_rest_of_the_picture_is_looked_at(grow, width):
    masks = torch.zeros(2, 60, 80, dtype=torch.bool)
    masks[0, 20:30, 40:55], masks[1, 28:35, 30:45] = True, True
    assert torch.equal(feather(masks, grow, width), feather_everywhere(masks, grow, width))


def test_the_pictures_border_does_not_shrink_a_mask():
    masks = torch.ones(1, 9, 9, dtype=torch.bool)
    assert torch.equal(feather(masks, -3, 0), masks.float())


def test_grey_counts_from_one_half():
    assert is_masked(torch.tensor([[[0.0, 0.49, 0.5, 0.7, 1.0]]])).tolist() == [[[False, False, True, True, True]]]


def test_a_mask_of_another_size_covers_what_it_covered(generator):
    masks = torch.rand(2, 10, 14, generator=generator) < 0.2
    assert fit_masks(masks, (10, 14)) is masks
    doubled = masks.repeat_interleave(2, dim=1).repeat_interleave(2, dim=2)
    assert torch.equal(fit_masks(masks, (20, 28)), doubled)
    assert torch.equal(fit_masks(doubled, (10, 14)), masks)
    assert fit_masks(mask_of((512, 512), (300, 7)), (31, 17)).any()  # a single pixel survives


@settings(max_examples=200)
@given(st.data())
def test_a_region_holds_its_mask_stays_in_the_picture_and_is_made_of_sixteens(data):
    height, width = data.draw(st.tuples(st.integers(1, 90), st.integers(1, 90)))
    top, left = data.draw(st.integers(0, height - 1)), data.draw(st.integers(0, width - 1))
    bottom, right = data.draw(st.integers(top + 1, height)), data.draw(st.integers(left + 1, width))
    masks = torch.zeros(1, height, width, dtype=torch.bool)
    masks[:, top:bottom, left:right] = True
    context, area = data.draw(st.floats(1, 4)), data.draw(st.sampled_from([0.0, 64.0 * 64]))
    region = region_around(masks, context, area)
    assert 0 <= region.top <= top and bottom <= region.top + region.height <= height
    assert 0 <= region.left <= left and right <= region.left + region.width <= width
    assert region.height % 16 == 0 or region.height == height
    assert region.width % 16 == 0 or region.width == width
    assert all(side % 16 == 0 and side >= 16 for side in (*region.canvas, *region.size))
    assert area or region.size == region.canvas


def test_context_widens_the_region_and_most_of_the_picture_means_all_of_it():
    masks = torch.zeros(1, 1000, 1000, dtype=torch.bool)
    masks[:, 400:500, 300:400] = True
    narrow, wide = region_around(masks, 1.0), region_around(masks, 3.0)
    assert (narrow.height, narrow.width) == (112, 112)
    assert (wide.height, wide.width) == (304, 304)
    assert abs(wide.top + wide.height / 2 - 450) <= 1 and abs(wide.left + wide.width / 2 - 350) <= 1
    whole = region_around(masks, 9.0)
    assert (whole.top, whole.left, whole.height, whole.width) == (0, 0, 1000, 1000)


def test_a_ribbon_gets_a_region_no_slimmer_than_one_to_two():
    masks = torch.zeros(1, 1000, 1000, dtype=torch.bool)
    masks[:, 500:504, 100:700] = True
    region = region_around(masks, 1.0)
    assert (region.height, region.width) == (304, 608)


def test_no_mask_at_all_means_the_whole_picture():
    region = region_around(torch.zeros(2, 50, 70, dtype=torch.bool), 2.0)
    assert (region.top, region.left, region.height, region.width) == (0, 0, 50, 70)
    assert region.size == (64, 80)


def test_context_below_the_mask_is_refused():
    with pytest.raises(ValueError, match="at least 1"):
        region_around(mask_of((5, 5), (2, 2)), 0.5)


def test_the_sampled_size_has_the_area_asked_for():
    assert size_for(512, 512, 1024.0**2) == (1024, 1024)
    assert size_for(331, 517, 1024.0**2) == (816, 1280)
    assert size_for(1, 4000, 64.0 * 64) == (16, 4048)


@pytest.mark.slow
@pytest.mark.parametrize("size", SIZES)
def test_reflection_keeps_the_picture_and_mirrors_it_as_often_as_it_takes(size, generator):
    pictures = torch.rand(1, 3, *size, generator=generator)
    filled = reflect_to(pictures, (size[0] + 9, size[1] + 20))
    mirrored = torch.cat([pictures, pictures.flip(-2)], dim=-2).repeat(1, 1, 10, 1)
    mirrored = torch.cat([mirrored, mirrored.flip(-1)], dim=-1).repeat(1, 1, 1, 11)
    assert torch.equal(filled, mirrored[..., : size[0] + 9, : size[1] + 20])


def test_latent_cells_are_repainted_where_any_pixel_shows():
    masks = mask_of((64, 64), (9, 20))
    _, stitch, _ = prepared(torch.zeros(1, 3, 64, 64), masks, context=100.0)
    cells = latent_mask(stitch.alpha, stitch.region)
    assert cells.shape == (1, 1, 8, 8)
    assert cells.nonzero().tolist() == [[0, 0, 1, 2]]
    soft = feather(masks, 3, 8)
    cells = latent_mask(soft, stitch.region)
    assert set(cells.unique().tolist()) == {0.0, 1.0}
    assert torch.equal(cells[0, 0] > 0, (soft[0] > 0).reshape(8, 8, 8, 8).any(dim=3).any(dim=1))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("channels", [3, 4])
def test_cut_and_stitch_at_the_same_size_is_the_identity(size, channels, generator):
    pictures = torch.rand(2, channels, *size, generator=generator)
    if channels == 4:
        pictures[:, 3] = 1  # painted parts become opaque
    masks = torch.rand(2, *size, generator=generator) < 0.3
    crop, stitch, _ = prepared(pictures, masks, grow=1, width=3)
    for strength in (0.0, 1.0):
        assert torch.equal(paste(crop[:, :3], stitch, strength), pictures)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("result", ["noise", "infinite", "not a number"])
@pytest.mark.parametrize("area", [0.0, 48.0 * 48])
def test_outside_the_feather_not_a_bit_changes_and_nothing_happens_in_place(size, result, area, generator):
    pictures = torch.rand(2, 4, *size, generator=generator)
    pictures[0, 0, 0, 0] = -0.0
    before = pictures.clone()
    masks = torch.rand(2, *size, generator=generator) < 0.02
    _, stitch, alpha = prepared(pictures, masks, grow=2, width=4, area=area)
    shape = (2, 3, *stitch.region.size)
    value = {"infinite": math.inf, "not a number": math.nan}.get(result)
    painted = torch.rand(shape, generator=generator) if value is None else torch.full(shape, value)
    found = paste(painted, stitch)
    kept = (alpha == 0)[:, None].expand_as(found)
    assert torch.equal(found[kept].view(torch.int32), before[kept].view(torch.int32))
    assert torch.equal(pictures.view(torch.int32), before.view(torch.int32))


def test_a_mask_of_nothing_changes_nothing_and_a_mask_of_everything_changes_everything(generator):
    pictures, painted = torch.rand(2, 1, 3, 32, 48, generator=generator)
    nothing = torch.zeros(1, 32, 48, dtype=torch.bool)
    for masks, expected in ((nothing, pictures), (~nothing, painted)):
        _, stitch, _ = prepared(pictures, masks, grow=5 * bool(masks.any()), width=5)
        assert torch.equal(paste(painted, stitch), expected)


def test_a_repeated_batch_takes_turns_with_the_originals(generator):
    pictures = torch.rand(2, 3, 32, 32, generator=generator)
    masks = torch.ones(2, 32, 32, dtype=torch.bool)
    masks[:, :16] = False
    _, stitch, alpha = prepared(pictures, masks, context=4.0)
    found = paste(torch.rand(6, 3, 32, 32, generator=generator), stitch)
    kept = alpha[0] == 0
    for index, each in enumerate(found):
        assert torch.equal(each[:, kept], pictures[index % 2][:, kept])


def test_what_is_painted_into_a_transparent_picture_is_opaque(generator):
    pictures = torch.rand(1, 4, 32, 32, generator=generator)
    masks = mask_of((32, 32), (5, 5), (5, 6))
    crop, stitch, alpha = prepared(pictures, masks)
    found = paste(crop[:, :3], stitch)
    assert (found[0, 3][alpha[0] == 1] == 1).all()
