"""Statistics of pictures against closed forms on synthetic ones."""

import math

import numpy as np
import pytest
from PIL import Image, ImageFilter

from zimage_core.scoring.score import Request, Score
from zimage_core.scoring.statistics import STATISTICS, banding, contrast, noise, saturation, seam_strength, sharpness

SIDE = 128


def grey(levels) -> np.ndarray:
    return np.repeat(np.asarray(levels, dtype=np.float64)[..., None], 3, -1)


def ramp(step: int, run: int = 8) -> np.ndarray:
    """Rising along the rows by `step` levels every `run` pixels."""
    return grey(np.tile(20 + step * (np.arange(SIDE) // run), (SIDE, 1)))


def test_sharpness_of_a_wave():
    frequency, amplitude = 2 * math.pi / 8, 50
    wave = grey(np.tile(128 + amplitude * np.sin(frequency * np.arange(SIDE + 2)), (SIDE, 1)))
    assert sharpness(wave) == pytest.approx(amplitude**2 / 2 * (2 - 2 * math.cos(frequency)) ** 2)


def test_contrast_and_saturation():
    halves = grey(np.tile(np.repeat([0, 255], SIDE // 2), (SIDE, 1)))
    assert contrast(halves) == pytest.approx(0.5)
    assert saturation(halves) == 0
    colours = np.zeros((SIDE, SIDE, 3))
    colours[: SIDE // 2] = (200, 100, 50)  # saturation 0.75; the other half is black
    assert saturation(colours) == pytest.approx(0.75 / 2)


@pytest.mark.parametrize("sigma", [2.0, 10.0])
def test_noise_is_that_of_the_gauss_that_was_added(sigma):
    plane = np.add.outer(np.arange(SIDE), 0.5 * np.arange(SIDE))
    added = np.random.default_rng(0).normal(0, sigma, (SIDE, SIDE))
    assert noise(grey(plane)) == pytest.approx(0, abs=1e-9)
    assert noise(grey(plane + added)) == pytest.approx(sigma, rel=0.05)


def test_banding_counts_the_edges_of_bands_and_none_in_the_smoothest_ramp():
    assert banding(ramp(1)) == 0
    edges = SIDE // 8 - 1
    assert banding(ramp(4)) == pytest.approx(100 * edges * SIDE / (2 * SIDE * SIDE))
    assert banding(ramp(4).transpose(1, 0, 2)) == banding(ramp(4))
    assert banding(ramp(13)) == 0  # those are edges of things
    assert banding(grey(np.random.default_rng(0).integers(0, 256, (SIDE, SIDE)))) == 0


@pytest.mark.parametrize("is_across", [False, True])
def test_seam_strength_is_a_lines_step_over_the_steps_around_it(is_across):
    texture = np.tile([0.0, 4.0], (SIDE, SIDE // 2))  # every step is 4 along rows
    texture[1::2] = 4 - texture[1::2]  # and down columns
    assert seam_strength(grey(texture)) == pytest.approx(0)
    texture[:, SIDE // 2 :] += 40  # steps of 4 become 40 ± 4, 40 on average
    seamed = texture.T if is_across else texture
    assert seam_strength(grey(seamed)) == pytest.approx(40 / 4 - 1)


def test_scores_of_pictures_in_any_order_and_none_of_a_tiny_one():
    sharp = Image.effect_mandelbrot((SIDE, SIDE), (-2, -1.5, 1, 1.5), 60).convert("RGB")
    soft, tiny = sharp.filter(ImageFilter.GaussianBlur(3)), Image.new("RGB", (5, 40))
    score = STATISTICS["sharpness"]
    assert isinstance(score, Score)
    first, second, third = score([sharp, soft, tiny], [Request()] * 3)
    assert first.value > 4 * second.value
    assert third.value is None and "5x40 is too small" in third.problem
    assert score([tiny, soft, sharp], [Request()] * 3) == [third, second, first]
