"""The norm of a sum of adapters against the sum itself, computed in full with PyTorch."""

import itertools

import pytest
import torch

from zimage_core.adapters import (
    OFT,
    DoRA,
    FullDifference,
    LoHa,
    LoKr,
    Lora,
    LowRank,
    Scaled,
    SetWeight,
    Target,
    inner_products,
    norm_of_sum,
)

QKV, OUT = "layers.0.attention.qkv.weight", "layers.0.attention.out.weight"
COUNT = itertools.count()


def random(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(next(COUNT)))


def low_rank(height, rank, alpha=None):
    return LowRank(up=random(height, rank), down=random(rank, 12), alpha=alpha)


def lokr(*shapes, alpha=None):
    """Two matrices; a shape of three numbers is that of a product."""
    factors = [(random(*shape),) if len(shape) == 2 else (random(*shape[:2]), random(*shape[1:])) for shape in shapes]
    return LoKr(w1=factors[0], w2=factors[1], alpha=alpha)


WEIGHTS = {QKV: random(36, 12), OUT: random(12, 12)}
ADAPTERS = {
    "LoRA": {Target(QKV): low_rank(36, 3, alpha=2.0), Target(OUT): FullDifference(diff=random(12, 12))},
    "another LoRA": {Target(QKV): low_rank(36, 5), Target(OUT): low_rank(12, 2)},
    "LoRA of keys": {Target(QKV, 1): low_rank(12, 2)},
    "LoKr": {Target(QKV): lokr((6, 3), (6, 2, 4), alpha=1.0), Target(OUT): lokr((4, 3), (3, 4))},
    "another LoKr": {Target(QKV): lokr((6, 3), (6, 4)), Target(OUT): lokr((2, 2), (6, 6))},
    "LoHa": {Target(QKV): LoHa(w1_a=random(36, 2), w1_b=random(2, 12), w2_a=random(36, 2), w2_b=random(2, 12))},
    "DoRA": {Target(OUT): DoRA(direction=low_rank(12, 2), magnitude=random(12, 1).abs())},
    "OFT": {Target(OUT): OFT(blocks=random(3, 4, 4) * 0.1)},
    "new value": {Target(QKV, 2): SetWeight(value=random(12, 12))},
}
STRENGTHS = (0.8, -0.5, 1.5, 0.3, 0.7, 0.2, 0.9, 1.1, -0.4)


def change_in_full(names, strengths, factor):
    """Every parameter's sum of changes, from the definition of each kind."""
    total = {name: torch.zeros_like(weight) for name, weight in WEIGHTS.items()}
    for name, strength in zip(names, strengths, strict=True):
        for target, delta in ADAPTERS[name].items():
            rows = slice(*target.rows(len(WEIGHTS[target.parameter])))
            total[target.parameter][rows] += delta.change(WEIGHTS[target.parameter][rows], strength * factor)
    return sum(change.double().square().sum() for change in total.values()).sqrt().item()


@pytest.mark.parametrize("names", [*itertools.combinations(ADAPTERS, 2), tuple(ADAPTERS)], ids=" and ".join)
def test_the_norm_of_a_sum_is_that_of_the_matrices_added_up(names):
    strengths, factor = [STRENGTHS[list(ADAPTERS).index(name)] for name in names], 0.5
    adapters = [
        Scaled([(Lora(file=name, family="", deltas=ADAPTERS[name]), factor)], strength)
        for name, strength in zip(names, strengths, strict=True)
    ]
    heights = {name: len(weight) for name, weight in WEIGHTS.items()}
    products = inner_products(adapters, heights, WEIGHTS.__getitem__)
    assert norm_of_sum(strengths, products) == pytest.approx(change_in_full(names, strengths, factor), rel=1e-4)


def test_opposites_cancel_and_parameters_that_are_not_counted_are_left_out():
    lora = Lora(file="", family="", deltas=ADAPTERS["another LoRA"])
    products = inner_products([Scaled([(lora, 1.0)], 1.0)] * 2, {OUT: 12}, WEIGHTS.__getitem__)
    assert norm_of_sum((1.0, -1.0), products) == 0
    expected = ADAPTERS["another LoRA"][Target(OUT)].matrix().norm().item()
    assert norm_of_sum((1.0, 0.0), products) == pytest.approx(expected)
