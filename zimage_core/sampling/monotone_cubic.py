"""Smooth interpolation that never overshoots: PCHIP, a piecewise cubic through points with the slopes of Fritsch and
Butland (A method for constructing local monotone piecewise cubic interpolants, 1984).

Between falling points the curve falls, which a natural spline does not promise.
"""

from bisect import bisect_right
from collections.abc import Sequence

Point = tuple[float, float]


def slopes(points: Sequence[Point]) -> list[float]:
    """The curve's slope at each of two or more points with rising x."""
    widths = [after[0] - before[0] for before, after in zip(points, points[1:], strict=False)]
    secants = [(after[1] - before[1]) / width for before, after, width in zip(points, points[1:], widths, strict=False)]
    if len(secants) == 1:
        return secants * 2
    inner = [
        _weighted_harmonic_mean(secants[i - 1], secants[i], widths[i - 1], widths[i]) for i in range(1, len(secants))
    ]
    first = _end_slope(secants[0], secants[1], widths[0], widths[1])
    last = _end_slope(secants[-1], secants[-2], widths[-1], widths[-2])
    return [first, *inner, last]


def _weighted_harmonic_mean(before: float, after: float, width_before: float, width_after: float) -> float:
    """The slope at an inner point: 0 where the curve turns."""
    if before * after <= 0:
        return 0.0
    weight, other = 2 * width_after + width_before, width_after + 2 * width_before
    return (weight + other) / (weight / before + other / after)


def _end_slope(near: float, far: float, width_near: float, width_far: float) -> float:
    """The slope of the parabola through the three last points, limited so that the curve keeps its direction."""
    slope = ((2 * width_near + width_far) * near - width_near * far) / (width_near + width_far)
    if slope * near <= 0:
        return 0.0
    return 3 * near if near * far <= 0 and abs(slope) > abs(3 * near) else slope


def interpolate(points: Sequence[Point], positions: Sequence[float]) -> list[float]:
    """The curve's heights at positions between the first point's x and the last one's."""
    starts, tangents = [x for x, _ in points[:-1]], slopes(points)
    heights: list[float] = []
    for position in positions:
        i = max(bisect_right(starts, position) - 1, 0)
        (left, low), (right, high) = points[i], points[i + 1]
        width = right - left
        heights.append(_hermite((position - left) / width, low, high, tangents[i] * width, tangents[i + 1] * width))
    return heights


def _hermite(t: float, start: float, end: float, start_slope: float, end_slope: float) -> float:
    """The cubic from `start` at t = 0 to `end` at t = 1 with these slopes."""
    rise = t * t * (3 - 2 * t)
    return start * (1 - rise) + end * rise + t * (1 - t) * ((1 - t) * start_slope - t * end_slope)
