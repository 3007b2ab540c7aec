"""Patches, padding and positions against the specification's own numbers."""

import pytest
import torch

from zimage_core.kernels import rotate
from zimage_core.model.rope import rope_table
from zimage_core.model.sequence import (
    Grid,
    caption_positions,
    image_positions,
    padded_length,
    patch_grid,
    patchify,
    unpatchify,
)


def test_patch_vectors_run_over_rows_then_columns_then_channels():
    latent = torch.arange(16 * 4 * 4, dtype=torch.float32).reshape(1, 16, 4, 4)
    tokens = patchify(latent, 2)[0]
    assert tokens[0, :18].tolist() == [16.0 * channel for channel in range(16)] + [1, 17]
    assert tokens[1, [0, 1, 2, 3]].tolist() == [2, 18, 34, 50]
    assert tokens[2, [0, 1, 2, 3]].tolist() == [8, 24, 40, 56]


@pytest.mark.parametrize("size", [(2, 2), (8, 12), (90, 160)])
def test_unpatchify_inverts_patchify(size, generator):
    latent = torch.randn(2, 16, *size, generator=generator)
    assert torch.equal(unpatchify(patchify(latent, 2), patch_grid(size, 2), 2), latent)


@pytest.mark.parametrize(("n", "padded"), [(1, 32), (32, 32), (33, 64), (3600, 3616), (4096, 4096)])
def test_sequences_are_padded_to_multiples_of_32(n, padded):
    assert padded_length(n) == padded


def test_odd_latents_are_refused_with_the_remedy():
    with pytest.raises(ValueError, match="multiples of 16 pixels"):
        patch_grid((9, 8), 2)


def test_positions_count_through_the_caption_and_its_pads_and_the_picture_stands_behind():
    assert caption_positions(32)[[0, 31]].tolist() == [[1, 0, 0], [32, 0, 0]]
    positions = image_positions((3, 5), start=33)
    assert positions.shape == (32, 3)
    assert positions[[0, 4, 5, 14]].tolist() == [[33, 0, 0], [33, 0, 4], [33, 1, 0], [33, 2, 4]]
    assert positions[15:].count_nonzero() == 0


def test_a_scaled_grid_moves_patches_and_leaves_the_unit_grid_alone():
    scaled = image_positions((2, 2), start=1, grid=Grid(scale=(0.5, 2.0), shift=(1.0, -1.0)))
    assert scaled[:4].tolist() == [[1, 1, -1], [1, 1, 1], [1, 1.5, -1], [1, 1.5, 1]]


def test_rope_angles_match_the_specification():
    table = rope_table(torch.tensor([[33.0, 5.0, 7.0]]), (32, 48, 48), 256.0)[0, 0, 0]
    angles = torch.tensor([33, 23.334524, 16.5, 0.182301, 5, 3.968503, 3.149803, 7, 5.555904, 4.409724, 0.034451])
    found = table[[0, 1, 2, 15, 16, 17, 18, 40, 41, 42, 63]]
    torch.testing.assert_close(found[:, 0, 0], angles.cos(), atol=1e-5, rtol=0)
    torch.testing.assert_close(found[:, 1, 0], angles.sin(), atol=1e-5, rtol=0)


def test_rope_turns_interleaved_pairs_as_the_specification_shows():
    table = rope_table(torch.tensor([[33.0, 5.0, 7.0]]), (32, 48, 48), 256.0)
    turned = rotate((torch.arange(128) / 128).reshape(1, 1, 1, 128), table).flatten()
    first = torch.tensor([-0.007812, -0.000104, 0.019311, -0.020507, 0.005854, -0.049681])
    torch.testing.assert_close(turned[:6], first, atol=1e-6, rtol=0)
    middle = torch.tensor([0.318138, -0.166599, 0.021338, -0.380617])
    torch.testing.assert_close(turned[32:36], middle, atol=1e-6, rtol=0)


def test_rotation_keeps_lengths_and_position_zero_is_the_identity(generator):
    x = torch.randn(2, 3, 2, 32, generator=generator)
    table = rope_table(torch.tensor([[0.0, 0, 0], [4, 5, 6], [500, 1, 90]]), (8, 12, 12), 256.0)
    turned = rotate(x, table)
    assert torch.equal(turned[:, 0], x[:, 0])
    torch.testing.assert_close(turned.norm(dim=-1), x.norm(dim=-1))
