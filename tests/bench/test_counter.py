"""The counter against functions counted by hand. A float32 is four bytes."""

import pytest
import torch
from torch.nn.functional import linear

from bench.counter import Counts, count, recorded

X = torch.ones(8, 16)  # 512 bytes
ROW = torch.ones(16)  # 64 bytes


def names(run):
    return [each.name for each in recorded(run).seen]


# What it does, and by hand: operations, bytes read and written elementwise, allocations, their bytes, live peak.
BY_HAND = {
    "a product reads and writes nothing elementwise": (lambda: linear(X, X), (1, 0, 1, 256, 256)),
    "a sum reads twice and writes once": (lambda: X + X, (1, 3 * 512, 1, 512, 512)),
    "a row is read once, however far it is spread": (lambda: X * ROW, (1, 512 + 64 + 512, 1, 512, 512)),
    "spread out beforehand too": (lambda: X * ROW.expand(8, 16), (1, 512 + 64 + 512, 1, 512, 512)),
    "in place reads, writes and allocates nothing": (lambda: X.add_(0), (1, 2 * 512, 0, 0, 0)),
    "a copy does not read its target": (lambda: X.clone().copy_(X), (2, 4 * 512, 1, 512, 512)),
    "into a given tensor neither": (lambda: torch.add(X, X, out=torch.empty(8, 16)), (1, 3 * 512, 1, 512, 512)),
    "views are free": (lambda: X.view(4, 32).T[3].expand(2, 4), (0, 0, 0, 0, 0)),
    "two alive at once": (lambda: X.mul(2).mul(2).mul(2), (3, 6 * 512, 3, 3 * 512, 2 * 512)),
}


@pytest.mark.parametrize(("run", "expected"), BY_HAND.values(), ids=BY_HAND)
def test_counts_are_those_made_by_hand(run, expected):
    found = count(run)
    assert (
        found.operations,
        found.elementwise_bytes,
        found.allocations,
        found.allocated_bytes,
        found.peak_bytes,
    ) == expected
    assert found.syncs == 0


def test_what_is_composed_is_counted_by_its_parts_with_and_without_inference_mode():
    def run():
        return linear(X[None], X).relu()

    assert names(run) == ["mm", "relu"]
    assert names(torch.inference_mode()(run)) == ["mm", "relu"]


@torch.library.custom_op("zimage_bench_test::open", mutates_args=())
def open_operation(x: torch.Tensor) -> torch.Tensor:
    return x * 2 + 1


@torch.library.custom_op("zimage_bench_test::closed", mutates_args=())
def closed_operation(x: torch.Tensor) -> torch.Tensor:
    return torch.from_numpy(x.numpy() * 2)  # stands for a kernel PyTorch knows nothing of


def test_a_name_hides_no_work():
    assert names(lambda: open_operation(X)) == ["mul", "add"]
    assert names(lambda: closed_operation(X)) == ["closed"]


@pytest.mark.parametrize(
    ("run", "syncs"),
    [
        (lambda: X.sum().item(), 1),
        (lambda: X[X > 0], 1),
        (lambda: X.nonzero(), 1),
        (lambda: X.clone().index_put_((X > 0,), ROW[0]), 1),
        (lambda: bool(X.sum() > 0), 1),
        (lambda: X[torch.tensor([1, 2])], 0),
        (lambda: torch.where(X > 0, X, 0), 0),
    ],
)
def test_places_where_a_host_would_wait(run, syncs):
    assert count(run).syncs == syncs


def test_a_layer_is_a_difference_whose_peak_stays():
    one = Counts(operations=3, elementwise_bytes=10, allocations=2, allocated_bytes=8, syncs=1, peak_bytes=70)
    two = Counts(operations=5, elementwise_bytes=30, allocations=3, allocated_bytes=9, syncs=1, peak_bytes=90)
    assert two - one == Counts(
        operations=2, elementwise_bytes=20, allocations=1, allocated_bytes=1, syncs=0, peak_bytes=90
    )
