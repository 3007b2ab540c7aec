"""The operation counter against functions counted by hand (a float32 has four bytes)."""

import pytest
import torch
from torch.nn.functional import linear

from bench.counter import Counts, count, trace

X = torch.ones(8, 16)  # 512 bytes
ROW = torch.ones(16)  # 64 bytes


def names(run):
    return [each.name for each in trace(run).operations]


# Function, and its counts by hand: operations, elementwise bytes, allocations, allocated bytes, live peak.
BY_HAND = {
    "a GEMM has no elementwise traffic": (lambda: linear(X, X), (1, 0, 1, 256, 256)),
    "a sum reads two tensors and writes one": (lambda: X + X, (1, 3 * 512, 1, 512, 512)),
    "a broadcast row is read once": (lambda: X * ROW, (1, 512 + 64 + 512, 1, 512, 512)),
    "an expanded row too": (lambda: X * ROW.expand(8, 16), (1, 512 + 64 + 512, 1, 512, 512)),
    "in-place operations read, write and allocate nothing": (lambda: X.add_(0), (1, 2 * 512, 0, 0, 0)),
    "a copy does not read its target": (lambda: X.clone().copy_(X), (2, 4 * 512, 1, 512, 512)),
    "an out= tensor is not read either": (lambda: torch.add(X, X, out=torch.empty(8, 16)), (1, 3 * 512, 1, 512, 512)),
    "views are free": (lambda: X.view(4, 32).T[3].expand(2, 4), (0, 0, 0, 0, 0)),
    "two alive at once": (lambda: X.mul(2).mul(2).mul(2), (3, 6 * 512, 3, 3 * 512, 2 * 512)),
}


@pytest.mark.parametrize(("run", "expected"), BY_HAND.values(), ids=BY_HAND)
def test_counts_equal_those_by_hand(run, expected):
    found = count(run)
    assert (
        found.operations,
        found.elementwise_bytes,
        found.allocations,
        found.allocated_bytes,
        found.peak_bytes,
    ) == expected
    assert found.syncs == 0


def test_composite_operations_are_counted_by_their_parts_with_and_without_inference_mode():
    def run():
        return linear(X[None], X).relu()

    assert names(run) == ["mm", "relu"]
    assert names(torch.inference_mode()(run)) == ["mm", "relu"]


@torch.library.custom_op("zimage_bench_test::transparent", mutates_args=())
def transparent_operation(x: torch.Tensor) -> torch.Tensor:
    return x * 2 + 1


@torch.library.custom_op("zimage_bench_test::opaque", mutates_args=())
def opaque_operation(x: torch.Tensor) -> torch.Tensor:
    return torch.from_numpy(x.numpy() * 2)  # stands for a kernel opaque to PyTorch


def test_python_custom_operations_are_counted_by_their_body():
    assert names(lambda: transparent_operation(X)) == ["mul", "add"]
    assert names(lambda: opaque_operation(X)) == ["opaque"]


class Packed(torch.Tensor):
    """A tensor whose operations are three others, as those of ComfyUI's packed weights are."""

    @staticmethod
    def __new__(cls, inside):
        made = torch.Tensor._make_wrapper_subclass(cls, inside.shape)
        made.inside = inside
        return made

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        return (args[0].inside + 1).mul(2).relu()


def test_operations_of_a_tensor_subclass_are_counted_by_their_parts():
    packed = Packed(X)
    assert names(lambda: packed.sin()) == ["add", "mul", "relu"]


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
def test_syncs_are_counted(run, syncs):
    assert count(run).syncs == syncs


def test_a_layers_counts_are_a_difference_but_its_peak_is_kept():
    one = Counts(operations=3, elementwise_bytes=10, allocations=2, allocated_bytes=8, syncs=1, peak_bytes=70)
    two = Counts(operations=5, elementwise_bytes=30, allocations=3, allocated_bytes=9, syncs=1, peak_bytes=90)
    assert two - one == Counts(
        operations=2, elementwise_bytes=20, allocations=1, allocated_bytes=1, syncs=0, peak_bytes=90
    )
