"""Search over a few weights by any score: one coordinate after the other, or CMA-ES.

A method is a generator of points, each answered by its value, higher is better. It draws nothing that its seed does not
decide, so a search is resumed by telling it again what its first points have brought.
"""

import math
import warnings
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np

Point = tuple[float, ...]
Points = Generator[Point, float, None]

DIGITS = 4  # of a weight, so that a point is the same when it is read again
HINT = 'search by CMA-ES needs the package cma; install it into this Python with: pip install "cma>=4"'
MOST_SAME = 100  # points in a row that bring nothing new, after which a search is at its end


@dataclass(frozen=True, kw_only=True)
class Space:
    """Where to search: the first point, how far from it, and the bounds of every weight."""

    start: Point
    step: float = 0.25
    least: float = 0.0
    most: float = 1.0
    finest: float = 0.02  # the step at which a search by coordinates ends

    def clipped(self, point: Sequence[float]) -> Point:
        """The nearest point within the bounds, to a few digits."""
        return tuple(round(min(max(float(each), self.least), self.most), DIGITS) for each in point)


@dataclass(frozen=True, kw_only=True)
class Tried:
    """A point and its value."""

    number: int  # from 0
    point: Point
    value: float
    is_best: bool  # of all so far


def coordinate_points(space: Space, seed: int = 0) -> Points:
    """One weight after the other, up and down by a step, which is halved when none of them brings more.

    `seed` decides nothing.
    """
    best = space.clipped(space.start)
    value, step = (yield best), space.step
    while step >= space.finest:
        has_moved = False
        for place in range(len(best)):
            for direction in (step, -step):
                moved = space.clipped([*best[:place], best[place] + direction, *best[place + 1 :]])
                if moved == best:
                    continue
                found = yield moved
                if found > value:
                    best, value, has_moved = moved, found, True
                    break
        step = step if has_moved else step / 2


def cma_points(space: Space, seed: int = 0) -> Points:
    """Covariance matrix adaptation (Hansen, arXiv 1604.00772), by the package cma. Raises ValueError without it."""
    strategy = _strategy(space, seed)
    yield space.clipped(space.start)
    while not strategy.stop():
        asked = [each.tolist() for each in strategy.ask()]
        values: list[float] = []
        for each in asked:
            values.append((yield space.clipped(each)))  # noqa: PERF401 - a comprehension cannot yield
        strategy.tell(asked, [-value for value in values])


def _strategy(space: Space, seed: int) -> Any:
    try:
        with warnings.catch_warnings():  # that matplotlib is not there, which is not needed
            warnings.simplefilter("ignore")
            import cma  # pyright: ignore[reportMissingTypeStubs]
    except ImportError as error:
        raise ValueError(HINT) from error
    if len(space.start) < 2:
        raise ValueError("CMA-ES needs two weights or more: write two groups of blocks, or search by coordinate")
    generator = np.random.default_rng(seed)

    def randn(*shape: int) -> Any:
        return generator.standard_normal(shape)

    # a generator of its own, as the package's default is numpy's global one, which others draw from too
    options = {"bounds": [space.least, space.most], "randn": randn, "seed": float("nan"), "verbose": -9}
    return cma.CMAEvolutionStrategy(list(space.start), space.step, options)


BY_METHOD: dict[str, Callable[[Space, int], Points]] = {"coordinate": coordinate_points, "CMA-ES": cma_points}


def search(
    points: Points, evaluate: Callable[[int, Point], float], budget: int, first: Sequence[Point] = ()
) -> Iterator[Tried]:
    """Evaluate up to `budget` different points, `first` before those of a method; one that comes again is known.

    `evaluate` is given a point's number and the point.
    """
    known: dict[Point, float] = {}
    for point in islice(_new_points(points, known, first), budget):
        value = evaluate(len(known), point)
        is_best = value > max(known.values(), default=-math.inf)
        known[point] = value
        yield Tried(number=len(known) - 1, point=point, value=value, is_best=is_best)


def _new_points(points: Points, known: Mapping[Point, float], first: Sequence[Point]) -> Iterator[Point]:
    """Points that are not in `known`, which is filled before the next one is asked for."""
    yield from dict.fromkeys(first)
    same = 0
    try:
        point = next(points)
        while same < MOST_SAME:
            same += 1
            if point not in known:
                same = 0
                yield point
            point = points.send(known[point])
    except StopIteration:
        return
