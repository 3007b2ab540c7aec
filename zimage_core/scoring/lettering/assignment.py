"""The cheapest pairs of two sets, each member of the smaller one with another of the larger: the assignment problem."""

from collections.abc import Sequence
from math import inf


def least_cost(costs: Sequence[Sequence[float]]) -> float:
    """The sum of the cheapest pairs; a row for each of one set, a column for each of the other, 0 for an empty set.

    Kuhn's Hungarian method with potentials: rows join one after the other along the cheapest augmenting path, so the
    time grows with rows² · columns.
    """
    if not costs or not costs[0]:
        return 0.0
    if len(costs) > len(costs[0]):
        return least_cost(list(zip(*costs, strict=True)))
    n_columns = len(costs[0])
    of_row, of_column = [0.0] * (len(costs) + 1), [0.0] * (n_columns + 1)  # potentials; row and column 0 are none
    row_in = [0] * (n_columns + 1)
    for row in range(1, len(costs) + 1):
        row_in[0], column = row, 0
        slack, before, is_done = [inf] * (n_columns + 1), [0] * (n_columns + 1), [False] * (n_columns + 1)
        while row_in[column]:
            is_done[column], here = True, row_in[column]
            for other in (other for other in range(1, n_columns + 1) if not is_done[other]):
                reduced = costs[here - 1][other - 1] - of_row[here] - of_column[other]
                if reduced < slack[other]:
                    slack[other], before[other] = reduced, column
            nearest = min((other for other in range(1, n_columns + 1) if not is_done[other]), key=slack.__getitem__)
            step = slack[nearest]
            for other in range(n_columns + 1):
                if is_done[other]:
                    of_row[row_in[other]] += step
                    of_column[other] -= step
                else:
                    slack[other] -= step
            column = nearest
        while column:
            row_in[column], column = row_in[before[column]], before[column]
    return sum(costs[row - 1][column - 1] for column, row in enumerate(row_in) if column and row)
