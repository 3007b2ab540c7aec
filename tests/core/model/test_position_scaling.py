"""Positions of large areas in closed form: the fastest pair stays, the slowest spans the area."""

import pytest
import torch

from zimage_core.model import Condition
from zimage_core.model.position_scaling import PositionScaling, scaled_base, with_scaled_positions
from zimage_core.model.rope import rope_table
from zimage_core.model.sequence import caption_positions, image_positions

AXES, THETA = (32, 48, 48), 256.0


def condition(size, length=32):
    positions = torch.cat((caption_positions(length), image_positions(size, start=length + 1)))
    rope = rope_table(positions, AXES, THETA)
    return Condition(torch.zeros(1, length, 8), size, image_rope=rope[:, length:], joint_rope=rope)


def test_the_slowest_pair_turns_slower_by_the_factor_and_the_fastest_as_before():
    base = scaled_base(THETA, 48, 4.0)
    assert base ** -(46 / 48) == pytest.approx(THETA ** -(46 / 48) / 4)
    assert base**0 == 1


@pytest.mark.parametrize("size", [(5, 7), (8, 12)])
def test_scaled_rotations_are_those_of_a_table_with_the_larger_base(size):
    """Rows and columns of the table with one base; the sequence axis and the prompt with the model's own."""
    before, bases = condition(size), (THETA, scaled_base(THETA, 48, 3.0), scaled_base(THETA, 48, 3.0))
    found = with_scaled_positions(before, AXES, THETA, 3.0)
    positions = image_positions(size, start=33)
    only = [torch.zeros_like(positions) for _ in range(3)]
    for axis in range(3):
        only[axis][:, axis] = positions[:, axis]
    tables = [rope_table(each, AXES, base).split((16, 24, 24), dim=3) for each, base in zip(only, bases, strict=True)]
    axes = [tables[axis][axis] for axis in range(3)]
    expected = torch.cat(axes, dim=3)
    torch.testing.assert_close(found.image_rope, expected, rtol=0, atol=0)
    assert torch.equal(found.joint_rope[:, 32:], expected)
    assert torch.equal(found.joint_rope[:, :32], before.joint_rope[:, :32])
    assert found.joint_rope.stride() == before.joint_rope.stride()  # kernels read it without a copy


def test_at_the_native_size_nothing_is_touched():
    scaling, native = PositionScaling(base=64), condition((4, 4))
    assert scaling.factor((64, 64), 1.0) == scaling.factor((40, 64), 0.3) == 1
    assert with_scaled_positions(native, AXES, THETA, scaling.factor((64, 48), 0.7)) is native


def test_the_factor_falls_to_one_with_the_noise_and_exponents_are_the_published_ones():
    scaling = PositionScaling(base=64)
    assert scaling.factor((128, 128), 1.0) == 2**2
    assert scaling.factor((128, 96), 0.5) == 2 ** (2 * 0.5)
    assert scaling.factor((80, 64), 0.25) == pytest.approx(1.25 ** (2 * 0.25**0.5))
    assert scaling.factor((256, 256), 0.5) == 4 ** (2 * 0.5**2)
    assert scaling.factor((256, 256), 0.0) == 1
