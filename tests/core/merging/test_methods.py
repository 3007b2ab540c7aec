"""Sum, TIES and DARE against their papers' definitions in numpy, and the neutral values of their numbers."""

import numpy
import pytest
import torch
from torch import Tensor

from zimage_core.merging import Method, combined

N_MODELS, SHAPE = 3, (12, 20)


@pytest.fixture
def differences() -> list[Tensor]:
    generator = torch.Generator().manual_seed(1)
    return [torch.randn(SHAPE, generator=generator, dtype=torch.float64) for _ in range(N_MODELS)]


def test_a_sum_is_the_sum_and_one_difference_is_itself(differences: list[Tensor]) -> None:
    found = combined([differences[0], None, differences[1]], Method(), "w")
    assert found is not None and torch.equal(found, differences[0] + differences[1])
    assert combined(differences[:1], Method(), "w") is differences[0]
    assert combined([None, None], Method(), "w") is None


@pytest.mark.parametrize("density", [0.2, 0.55])
def test_ties_trims_elects_and_takes_the_disjoint_mean_of_its_paper(differences: list[Tensor], density: float) -> None:
    lam = 0.7
    found = combined([lam * each for each in differences], Method("ties", density), "w")
    trimmed = []
    for each in differences:
        flat = each.numpy().flatten()
        kept = numpy.argsort(-numpy.abs(flat))[: round(density * flat.size)]
        mask = numpy.zeros(flat.size)
        mask[kept] = 1
        trimmed.append(mask * flat)
    elected = numpy.sign(numpy.sum(trimmed, axis=0))
    wanted = numpy.zeros(elected.size)
    for index, sign in enumerate(elected):
        agreeing = [each[index] for each in trimmed if sign != 0 and numpy.sign(each[index]) == sign]
        wanted[index] = lam * numpy.mean(agreeing) if agreeing else 0.0
    assert found is not None
    numpy.testing.assert_allclose(found.numpy().flatten(), wanted, atol=1e-14)


def test_ties_of_one_whole_difference_is_that_difference(differences: list[Tensor]) -> None:
    found = combined(differences[:1], Method("ties", 1.0), "w")
    assert found is not None and torch.equal(found, differences[0])


def test_dare_keeps_a_share_enlarged_and_its_mean_over_seeds_is_the_sum(differences: list[Tensor]) -> None:
    density, n_seeds = 0.4, 3000
    one = combined(differences[:1], Method("dare", density, seed=5), "w")
    assert one is not None
    is_kept = one != 0
    torch.testing.assert_close(one[is_kept], differences[0][is_kept] / density)
    drawn = [combined(differences, Method("dare", density, seed), "w") for seed in range(n_seeds)]
    mean = torch.stack([each for each in drawn if each is not None]).mean(0)
    squares = sum(each.square() for each in differences)
    error = (squares * (1 - density) / density / n_seeds).sqrt()  # of the mean, by the variance of a Bernoulli draw
    assert ((mean - sum(differences)).abs() / error).max() < 5  # 240 values: five standard errors


def test_dare_of_density_one_is_the_sum_and_draws_differ_by_parameter_and_place(differences: list[Tensor]) -> None:
    every, total = combined(differences, Method("dare", 1.0), "w"), combined(differences, Method(), "w")
    assert every is not None and total is not None and torch.equal(every, total)
    ones = torch.ones(1000, dtype=torch.float64)
    first = combined([ones], Method("dare", 0.5), "a")
    assert first is not None
    for others in (combined([ones], Method("dare", 0.5), "b"), combined([None, ones], Method("dare", 0.5), "a")):
        assert others is not None and not torch.equal(first, others)
    again = combined([ones], Method("dare", 0.5), "a")
    assert again is not None and torch.equal(first, again)


@pytest.mark.parametrize(("name", "density", "word"), [("slerp", 1.0, "slerp"), ("ties", 0.0, "density")])
def test_other_methods_are_refused(name: str, density: float, word: str) -> None:
    with pytest.raises(ValueError, match=word):
        Method(name, density)
