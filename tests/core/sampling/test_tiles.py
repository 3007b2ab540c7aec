"""Tiles in closed form: weights add up to 1, what is local is blended to itself, seams are steps."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from zimage_core.sampling import Tiling, blend, borders, seam_error
from zimage_core.sampling.tiles import axis_weights, starts


@given(st.integers(1, 300), st.integers(2, 130), st.data())
def test_tiles_cover_an_axis_overlap_enough_and_weigh_one_everywhere(length, tile, data):
    overlap = data.draw(st.integers(0, tile - 1))
    begins = starts(length, tile, overlap)
    assert begins[0] == 0 and (len(begins) == 1 or begins[-1] + tile == length)
    assert all(second - first <= tile - overlap for first, second in zip(begins, begins[1:], strict=False))
    if len(begins) > 1:
        assert (len(begins) - 1) * (tile - overlap) + overlap < length  # none too many
        weights = axis_weights(length, tile, overlap)
        torch.testing.assert_close(weights.sum(0), torch.ones(length))
        assert (weights >= 0).all()
        for begin, row in zip(begins, weights, strict=True):
            assert not row[:begin].any() and not row[begin + tile :].any()


@pytest.mark.parametrize("overlap", [0, 1, 3, 7])
def test_what_is_computed_cell_by_cell_is_the_same_in_tiles(overlap, generator):
    x = torch.randn(2, 3, 29, 40, generator=generator)
    tiling = Tiling(height=8, width=11, overlap=overlap)
    torch.testing.assert_close(blend(tiling, x, lambda tile, _: tile.square()), x.square())


def test_a_blend_of_two_tiles_rises_by_the_smooth_step():
    tiling = Tiling(height=8, width=8, overlap=4)
    found = blend(tiling, torch.zeros(1, 1, 8, 12), lambda tile, window: torch.full_like(tile, float(window.left > 0)))
    t = (torch.arange(4) + 0.5) / 4
    expected = torch.cat((torch.zeros(4), 3 * t**2 - 2 * t**3, torch.ones(4)))
    torch.testing.assert_close(found[0, 0, 0], expected)


def test_a_tile_that_covers_the_latent_is_the_latent_bit_for_bit(generator):
    x = torch.randn(1, 2, 9, 7, generator=generator)
    assert torch.equal(blend(Tiling(height=9, width=8, overlap=2), x, lambda tile, _: tile), x)


def test_an_overlap_as_large_as_a_tile_is_refused():
    with pytest.raises(ValueError, match="The overlap is 64 pixels, but a tile has only 64"):
        Tiling(height=8, width=10, overlap=8)


def test_a_smooth_picture_has_no_seam_and_a_step_has_its_height():
    ramp = torch.arange(64.0).expand(1, 3, 64, 64) / 64 + torch.arange(64.0)[:, None] / 64
    assert seam_error(ramp, [24, 40], [32]) == pytest.approx(0, abs=1e-5)
    stepped = ramp.clone()
    stepped[..., :, 32:] += 3 / 64  # three more gradients at one of three borders
    assert seam_error(stepped, [24, 40], [32]) == pytest.approx(1, rel=1e-4)


def test_borders_are_where_tiles_begin_and_end_inside():
    assert borders(12, 8, 4) == [4, 8]
    assert borders(8, 8, 4) == []
    assert borders(16, 8, 0) == [8]
