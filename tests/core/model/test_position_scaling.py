"""Positions of large areas in closed form: the fastest pair stays, the slowest spans the area."""

import math

import pytest
import torch

from zimage_core.model import Condition
from zimage_core.model.position_scaling import (
    PositionScaling,
    grid_angles,
    ntk,
    scaled_base,
    with_angles,
    with_scaled_positions,
)
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
    found = with_angles(before, grid_angles(size, ntk(AXES[1:], THETA, 3.0)))
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
    assert with_scaled_positions(native, scaling, AXES, THETA, 0.7) is native
    yarn = PositionScaling(base=64, method="vision yarn")
    assert with_scaled_positions(native, yarn, AXES, THETA, 0.7) is native


def test_the_factor_falls_to_one_with_the_noise_and_exponents_are_the_published_ones():
    scaling = PositionScaling(base=64)
    assert scaling.factor((128, 128), 1.0) == 2**2
    assert scaling.factor((128, 96), 0.5) == 2 ** (2 * 0.5)
    assert scaling.factor((80, 64), 0.25) == pytest.approx(1.25 ** (2 * 0.25**0.5))
    assert scaling.factor((256, 256), 0.5) == 4 ** (2 * 0.5**2)
    assert scaling.factor((256, 256), 0.0) == 1


def published(dim, native, length, longest, sigma, exponent):
    """Vision YaRN pair by pair, as its authors' program has it, and what rotations are multiplied with."""
    k = 2 * sigma**exponent

    def ramp(fast, slow):
        ends = [dim * math.log(native / (turns**k * 2 * math.pi)) / (2 * math.log(THETA)) for turns in (fast, slow)]
        low, high = max(math.floor(ends[0]), 0), min(math.ceil(ends[1]), dim // 2)
        high = high + 0.001 if high == low else high
        return [1 - min(max((pair - low) / (high - low), 0), 1) for pair in range(dim // 2)]

    found = []
    for pair, (middle, quick) in enumerate(zip(ramp(1.25, 0.75), ramp(16, 2), strict=True)):
        trained = THETA ** (-2 * pair / dim)
        larger = (THETA * longest ** (dim / (dim - 2))) ** (-2 * pair / dim)
        scaled = trained / max(1, length / native) * (1 - middle) + larger * middle
        found.append(scaled * (1 - quick) + trained * quick)
    return found, 1 + 0.1 * math.log(longest) * sigma**exponent


@pytest.mark.parametrize("sigma", [0.0, 0.3, 1.0])
@pytest.mark.parametrize(("size", "exponent"), [((80, 64), 0.5), ((128, 96), 1.0), ((256, 256), 2.0)])
def test_vision_yarn_is_the_published_one(size, exponent, sigma):
    before = condition(size)
    found = with_scaled_positions(before, PositionScaling(base=64, method="vision yarn"), AXES, THETA, sigma)
    for axis, (length, step) in enumerate(zip(size, (size[1], 1), strict=True)):
        frequencies, sharper = published(48, 64, length, max(size) / 64, sigma, exponent)
        turned = found.image_rope[0, (length - 1) * step, 0, 16 + 24 * axis : 40 + 24 * axis, :, 0]
        angle = (length - 1) * torch.tensor(frequencies, dtype=torch.float64)
        expected = sharper * torch.stack((angle.cos(), angle.sin()), dim=-1)
        torch.testing.assert_close(turned.double(), expected, atol=2e-5, rtol=0)
    assert torch.equal(found.image_rope[..., :16, :, :], before.image_rope[..., :16, :, :])
    assert torch.equal(found.joint_rope[:, :32], before.joint_rope[:, :32])
