"""The parts of a mask: components as flood fill finds them, a partition of the opacity, and boxes."""

import pytest
import torch

from region_masks import mask_of, prepared
from zimage_core.regions import Stitch, box_mask, feather, parts, paste_all, region_around
from zimage_core.regions.parts import connected


def flood_filled(mask):
    """The same numbers cell by cell."""
    labels, count = torch.zeros(mask.shape, dtype=torch.int64), 0
    for start in mask.nonzero().tolist():
        if labels[tuple(start)]:
            continue
        count, queue = count + 1, [start]
        while queue:
            y, x = queue.pop()
            if 0 <= y < mask.shape[0] and 0 <= x < mask.shape[1] and mask[y, x] and not labels[y, x]:
                labels[y, x] = count
                queue += [[y + dy, x + dx] for dy in (-1, 0, 1) for dx in (-1, 0, 1)]
    return labels


@pytest.mark.parametrize("density", [0.0, 0.1, 0.3, 0.5, 1.0])
def test_components_are_those_of_a_flood_fill(density, generator):
    for _ in range(20):
        mask = torch.rand(11, 17, generator=generator) < density
        assert torch.equal(connected(mask), flood_filled(mask))


def test_a_spiral_is_one_part():
    mask = torch.zeros(9, 9, dtype=torch.bool)
    mask[0], mask[:, 8], mask[8], mask[2:, 0], mask[2, :7] = True, True, True, True, True
    assert connected(mask).max() == 1


def test_parts_add_up_to_the_opacity_and_do_not_share_a_pixel(generator):
    spots = mask_of((200, 300), (20, 20), (20, 200), (150, 100))
    alpha = feather(spots, 9, 12)
    found = parts(alpha)
    assert len(found) == 3
    assert torch.equal(torch.stack(found).sum(0), alpha)
    assert (torch.stack(found) > 0).sum(0).max() == 1


def test_a_single_pixel_is_a_part_and_nothing_is_none():
    assert [part.sum().item() for part in parts(mask_of((7, 5), (6, 4)).float())] == [1]
    assert parts(torch.zeros(1, 40, 40)) == []


def test_dust_is_refused_in_one_sentence():
    dust = torch.zeros(1, 320, 320)
    dust[:, ::32, ::32] = 1
    with pytest.raises(ValueError, match="100 separate pieces"):
        parts(dust)


def test_parts_painted_one_by_one_leave_every_other_pixel(generator):
    picture = torch.rand(2, 3, 90, 120, generator=generator)
    alpha = feather(mask_of((90, 120), (10, 10), (70, 100)), 3, 4).expand(2, -1, -1)
    stitches = [
        Stitch(originals=picture, alpha=region.window(part), region=region)
        for part in parts(alpha)
        for region in [region_around(part > 0, 1.5)]
    ]
    painted = [torch.rand(4, 3, *each.region.size, generator=generator) for each in stitches]
    found = paste_all(painted, stitches)
    outside = (alpha == 0)[[0, 1, 0, 1], None].expand(-1, 3, -1, -1)
    assert torch.equal(found[outside], picture[[0, 1, 0, 1]][outside])
    assert (found != picture[[0, 1, 0, 1]])[~outside].float().mean() > 0.99
    with pytest.raises(ValueError, match="4 times and another 2 times"):
        paste_all([painted[0], painted[1][:2]], stitches)


def test_one_part_is_pasted_as_by_itself(generator):
    picture = torch.rand(1, 3, 64, 64, generator=generator)
    crop, stitch, _ = prepared(picture, mask_of((64, 64), (30, 30)), grow=4, width=4)
    assert torch.equal(paste_all([crop], [stitch]), picture)


def test_a_box_is_cut_at_the_edge_and_refused_outside():
    assert box_mask([(-10.0, 5.0, 15.0, 100.0)], (20, 30)).sum() == 5 * 15
    for box in ((30.0, 0.0, 5.0, 5.0), (0.0, -9.0, 5.0, 9.0), (3.0, 3.0, 0.0, 4.0)):
        with pytest.raises(ValueError, match="no pixel inside the picture of 30x20"):
            box_mask([(1.0, 1.0, 2.0, 2.0), box], (20, 30))
