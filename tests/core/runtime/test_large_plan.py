"""What is chosen for a size and a memory, and the sentence where nothing fits."""

import pytest

from zimage_core.config import TURBO_DIT
from zimage_core.runtime.flop_counts import step_flops
from zimage_core.runtime.large_plan import plan_large, small_size

GIB = 2**30


def plan(width, height, way=None, free=80 * GIB, enlarging=0):
    """A step takes one GiB for each megapixel."""
    return plan_large(
        *(TURBO_DIT, (height // 8, width // 8), 1024, way),
        *(lambda size: size[0] * size[1] * 2**16, lambda tile: enlarging, free),
    )


@pytest.mark.parametrize(
    ("size", "way", "tiles"),
    [
        ((512, 512), "as it is", 1),
        ((1024, 1024), "as it is", 1),
        ((1536, 1024), "as it is", 1),
        ((1536, 1536), "whole", 1),
        ((2048, 2048), "tiles", 9),
        ((4096, 4096), "tiles", 25),
        ((5120, 4096), "tiles", 35),
    ],
)
def test_the_way_is_chosen_by_the_area(size, way, tiles):
    found = plan(*size)
    assert (found.way, found.n_tiles) == (way, tiles)


def test_what_would_not_fit_whole_is_drawn_in_tiles():
    assert plan(1536, 1536, free=2 * GIB).way == "tiles"


def test_twenty_megapixels_on_eight_gigabytes_are_tiles_or_a_sentence():
    assert plan(5120, 4096, free=7 * GIB).bytes_needed == pytest.approx(GIB, rel=0.01)
    with pytest.raises(
        ValueError, match=r"A step at 5120x4096 needs 20\.0 GB .* has 7\.0 GB .* tiles, which need 1\.0"
    ):
        plan(5120, 4096, "whole", free=7 * GIB)
    with pytest.raises(ValueError, match=r"Even tiles need 1\.0 GB"):
        plan(5120, 4096, free=GIB // 2)


def test_what_the_autoencoder_takes_counts_where_a_picture_is_enlarged():
    assert plan(1024, 1024, enlarging=3 * GIB).bytes_needed == GIB
    assert plan(2048, 2048, enlarging=3 * GIB).bytes_needed == 3 * GIB
    with pytest.raises(ValueError, match=r"Even tiles need 3\.0 GB"):
        plan(2048, 2048, free=2 * GIB, enlarging=3 * GIB)


@pytest.mark.parametrize("way", ["tiles", "whole"])
def test_what_composes_at_its_own_size_is_drawn_once(way):
    found = plan(1024, 1024, way)
    assert (found.way, found.n_tiles, found.flops) == ("as it is", 1, step_flops(TURBO_DIT, 4096, 128))


def test_the_small_picture_has_the_shape_and_the_native_area():
    assert small_size((256, 256), 128) == (128, 128)
    height, width = small_size((256, 512), 128)
    assert height % 2 == width % 2 == 0 and abs(width - 2 * height) <= 2
    assert abs(height * width / 128**2 - 1) < 0.03
    assert small_size((64, 100), 128) == (64, 100)


def test_a_narrow_picture_is_composed_with_a_side_that_holds_things():
    assert small_size((64, 2048), 128) == (64, 2048)
    assert small_size((256, 4096), 128) == (64, 1024)


def test_operations_are_those_of_every_tile():
    found = plan(2048, 2048)
    assert found.flops == 9 * found.small_flops == 9 * step_flops(TURBO_DIT, 4096, 128)
