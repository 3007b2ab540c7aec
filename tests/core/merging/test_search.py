"""Search over weights: it finds a known optimum within its budget, and goes on as if nothing had interrupted it."""

import pytest

from zimage_core.merging.search import BY_METHOD, Point, Space, search

OPTIMUM = (0.7, 0.2, 0.45)
SPACE = Space(start=(0.5, 0.5, 0.5))


def value(number: int, point: Point) -> float:
    """A paraboloid whose axes are turned, so that coordinates are not independent."""
    x, y, z = (each - best for each, best in zip(point, OPTIMUM, strict=True))
    return -(x * x + 2 * y * y + 3 * z * z + x * y + y * z)


@pytest.mark.parametrize(("method", "budget"), [("coordinate", 60), ("CMA-ES", 150)])
def test_a_search_finds_the_optimum_and_is_resumed_to_the_same_points(method: str, budget: int) -> None:
    tried = list(search(BY_METHOD[method](SPACE, 3), value, budget))
    best = max(tried, key=lambda each: each.value)
    assert [each.number for each in tried] == list(range(len(tried))) and len(tried) <= budget
    assert all(abs(found - wanted) < 0.03 for found, wanted in zip(best.point, OPTIMUM, strict=True))
    assert [each for each in tried if each.is_best][-1] == best
    assert all(0 <= each <= 1 for one in tried for each in one.point)
    kept = {each.point: each.value for each in tried[:17]}
    asked: list[Point] = []

    def again(number: int, point: Point) -> float:
        asked.append(point)
        return kept[point] if point in kept else value(number, point)

    assert list(search(BY_METHOD[method](SPACE, 3), again, budget)) == tried
    assert asked[:17] == [each.point for each in tried[:17]]


def test_a_score_that_never_changes_ends_the_search() -> None:
    tried = list(search(BY_METHOD["coordinate"](SPACE, 0), lambda number, point: 1.0, 1000))
    assert 1 < len(tried) < 40 and [each.is_best for each in tried] == [True] + [False] * (len(tried) - 1)


def test_cma_needs_two_weights() -> None:
    with pytest.raises(ValueError, match="two weights or more"):
        next(BY_METHOD["CMA-ES"](Space(start=(0.5,)), 0))


def test_the_ends_are_tried_first_and_count() -> None:
    ends = [(0.0, 0.0, 0.0), (1.0, 1.0, 1.0)]
    tried = list(search(BY_METHOD["coordinate"](SPACE, 0), value, 3, ends))
    assert [each.point for each in tried] == [*ends, SPACE.start]
