"""Drawn schedules, against SciPy's interpolation, closed forms and the published schedules."""

from random import Random

import pytest
import torch

from zimage_core.sampling import BASE, STRAIGHT, TURBO, drawn_schedule, read_points, shifted_schedule
from zimage_core.sampling.monotone_cubic import interpolate


def curve(random, count):
    """Points of a falling curve from 1 to 0."""
    parts, sigmas = (sorted(random.uniform(0.01, 0.99) for _ in range(count)) for _ in range(2))
    return list(zip([0.0, *parts, 1.0], [1.0, *reversed(sigmas), 0.0], strict=True))


def written(points):
    return ", ".join(f"{part} {sigma}" for part, sigma in points)


@pytest.mark.parametrize("count", range(8))
def test_interpolation_is_scipys_pchip(count):
    scipy = pytest.importorskip("scipy.interpolate")
    random = Random(count)
    for _ in range(20):
        points = curve(random, count)
        points = [(part, random.uniform(-1, 1)) for part, _ in points] if count % 2 else points  # turning ones too
        positions = [i / 57 for i in range(58)]
        expected = scipy.PchipInterpolator(*zip(*points, strict=True))(positions)
        assert interpolate(points, positions) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("preset", [TURBO, BASE])
@pytest.mark.parametrize("steps", [1, 4, 8, 28, 333])
def test_two_points_are_the_published_schedule(preset, steps):
    sigmas = drawn_schedule(steps, preset.shift, STRAIGHT)
    assert sigmas.dtype == torch.float32
    torch.testing.assert_close(sigmas, shifted_schedule(steps, preset.shift), rtol=0, atol=1e-6)


def test_at_turbos_steps_it_is_bit_equal():
    assert drawn_schedule(8, 3.0, STRAIGHT).equal(shifted_schedule(8, 3.0))


def test_points_on_a_published_schedule_do_not_change_it():
    expected = shifted_schedule(28, 6.0).double()
    text = written([(i / 28, float(expected[i])) for i in (0, 3, 14, 20, 28)])
    torch.testing.assert_close(drawn_schedule(28, 6.0, text).double(), expected, rtol=0, atol=1e-6)


def test_without_shift_two_points_are_a_straight_line():
    sigmas = drawn_schedule(5, 1.0, "0 0.75, 1 0.25")
    assert sigmas.tolist() == pytest.approx([0.75, 0.65, 0.55, 0.45, 0.35, 0.25])


@pytest.mark.parametrize("shift", [0.3, 1.0, 3.0, 6.0])
def test_it_passes_through_its_points_and_never_rises(shift):
    random = Random(7)
    for count in range(9):
        points = [(round(part, 2), sigma) for part, sigma in curve(random, count)]
        points = list({part: (part, sigma) for part, sigma in points}.values())
        sigmas = drawn_schedule(100, shift, written(points))
        assert bool((sigmas.diff() < 0).all())
        assert [float(sigmas[round(100 * part)]) for part, _ in points] == pytest.approx(
            [s for _, s in points], abs=1e-5
        )


def test_commas_line_ends_and_a_chinese_keyboards_marks_separate_points():
    assert read_points("0 1\n .5 0.8 ;1 0,") == read_points("0 1\uff0c0.5 0.8\uff1b1 0") == [(0, 1), (0.5, 0.8), (1, 0)]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "The curve needs at least two points, but the text has 0"),
        ("0 1", "The curve needs at least two points, but the text has 1"),
        ("0 1, half 0.5, 1 0", "'half 0.5' is not a point of the curve"),
        ("0 1, 0.5, 1 0", "'0.5' is not a point of the curve"),
        ("0 1.2, 1 0", "The point 0 1.2 lies outside the curve"),
        ("0 nan, 1 0", "The point 0 nan lies outside the curve"),
        ("0 1, 1 -0.1", "The point 1 -0.1 lies outside the curve"),
        ("0 0.5, 0.5 0.5, 1 0", "The point 0.5 0.5 does not go on downward from 0 0.5"),
        ("0 1, 0.5 0.4, 0.5 0.3, 1 0", "The point 0.5 0.3 does not go on downward from 0.5 0.4"),
        ("0 0, 1 1", "The point 1 1 does not go on downward from 0 0"),
        ("0.1 1, 0.9 0", "The curve goes from 0.1 to 0.9 of the steps"),
    ],
)
def test_what_is_no_falling_curve_is_refused(text, sentence):
    with pytest.raises(ValueError) as error:
        read_points(text)
    assert str(error.value).startswith(sentence)


def test_a_curve_too_flat_for_its_steps_is_refused():
    with pytest.raises(ValueError, match="so flat that two of 1000 steps have the same sigma"):
        drawn_schedule(1000, 1.0, "0 1, 0.999 0.99999, 1 0")
