"""The curve's picture: losses lie where their numbers say, the running mean between them."""

import numpy as np
from PIL import ImageColor

from zimage_core.training.loop.curve_picture import MEAN, VALIDATION, curve_picture, smoothed


def places(picture, colour):
    """Rows and columns of a colour's pixels."""
    return np.nonzero((np.asarray(picture) == ImageColor.getrgb(colour)).all(-1))


def test_a_falling_loss_falls_and_fills_the_part_of_the_run_that_is_done():
    rows = [{"step": step, "steps": 101, "loss": 1 - step / 100, "validation": None} for step in range(51)]
    down, across = places(curve_picture(rows, 300), MEAN)
    assert across.min() < 25 and abs(across.max() - 150) < 5  # half of the steps
    assert down[across < 30].mean() < down[across > 140].mean()


def test_held_out_losses_are_dots_at_their_heights():
    rows = [{"step": 0, "steps": 2, "loss": 2.0, "validation": 1.0}, {"step": 1, "steps": 2, "loss": 2.0}]
    down, across = places(curve_picture(rows, 200), VALIDATION)
    assert abs(down.mean() - 100) < 2 and across.mean() < 20
    assert not places(curve_picture([], 200), MEAN)[0].size


def test_the_running_mean_of_a_constant_is_that_constant():
    assert {round(value, 12) for _, value in smoothed([(step, 0.7) for step in range(50)])} == {0.7}
