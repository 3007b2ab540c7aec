"""A noise schedule drawn by hand: points written as text, joined to a falling curve, read once per step."""

import re
from itertools import pairwise

import torch
from torch import Tensor

from .._shapes import Float
from .monotone_cubic import Point, interpolate
from .schedule import require_steps_and_shift, shift_sigma

STRAIGHT = "0 1, 1 0"
SEPARATORS = re.compile("[,;\n\uff0c\uff1b]")  # the last two are those of Chinese keyboards


def read_points(text: str) -> list[Point]:
    """The points of a text such as "0 1, 0.5 0.85, 1 0": pairs of the part of the steps done and sigma, both in [0, 1].

    Raises ValueError unless they begin at part 0, end at part 1, and each lies right of and below the one before.
    """
    points = [_read_point(piece) for piece in SEPARATORS.split(text) if piece.strip()]
    if len(points) < 2:
        raise ValueError(
            f"The curve needs at least two points, but the text has {len(points)}. Write for example: {STRAIGHT}"
        )
    for before, after in pairwise(points):
        if not (after[0] > before[0] and after[1] < before[1]):
            raise ValueError(
                f"The point {_written(after)} does not go on downward from {_written(before)}: from point to point the "
                "part of the steps must rise and sigma must fall."
            )
    if (points[0][0], points[-1][0]) != (0, 1):
        raise ValueError(
            f"The curve goes from {points[0][0]:g} to {points[-1][0]:g} of the steps. Let its first point begin with 0 "
            "and its last one with 1."
        )
    return points


def _read_point(piece: str) -> Point:
    try:
        part, sigma = map(float, piece.split())
    except ValueError:
        raise ValueError(
            f"'{piece.strip()}' is not a point of the curve. Write the part of the steps, a space and sigma, with "
            "commas between points: 0 1, 0.5 0.85, 1 0"
        ) from None
    if not (0 <= part <= 1 and 0 <= sigma <= 1):
        raise ValueError(f"The point {piece.strip()} lies outside the curve: both its numbers must be from 0 to 1.")
    return part, sigma


def _written(point: Point) -> str:
    return f"{point[0]:g} {point[1]:g}"


def drawn_schedule(steps: int, shift: float, text: str) -> Float[Tensor, " n"]:
    """The steps + 1 sigmas of a drawn curve, falling.

    The curve passes through its points. Between them it runs as a schedule of this shift does, since the monotone cubic
    joins the points' unshifted levels: two points from 1 to 0 are exactly `shifted_schedule(steps, shift)`.
    """
    require_steps_and_shift(steps, shift)
    levels = [(part, sigma / (shift - (shift - 1) * sigma)) for part, sigma in read_points(text)]
    sampled = interpolate(levels, [step / steps for step in range(steps + 1)])
    sigmas = shift_sigma(torch.tensor(sampled, dtype=torch.float32), shift)
    if not bool((sigmas.diff() < 0).all()):
        raise ValueError(
            f"The curve is so flat that two of {steps} steps have the same sigma. Take fewer steps, or move its points "
            "apart."
        )
    return sigmas
