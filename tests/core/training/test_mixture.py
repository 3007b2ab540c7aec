"""Several sets in one run: shares, epochs, and where a run goes on."""

import shutil
from collections import Counter
from itertools import islice, pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import tiny
from zimage_core.training.encoded_example import EncodedExample, EncodedPicture
from zimage_core.training.flow_training import FlowMatching, TrainingSet, examples_of, train_examples
from zimage_core.training.loop.order import chosen_examples
from zimage_core.training.loop.runner import Recipe
from zimage_core.training.mixture import DrawnExamples, Mixture, Part, dealt
from zimage_core.training.trainables import LoraTrainable

weights = st.lists(st.floats(1e-3, 1e3), min_size=1, max_size=5)


@given(st.integers(0, 100_000), weights)
def test_each_set_gives_its_share_to_within_as_many_examples_as_there_are_sets(n, weights):
    counts = dealt(n, weights)
    assert sum(counts) == n
    expected = [n * weight / sum(weights) for weight in weights]
    assert all(abs(found - wanted) < len(weights) for found, wanted in zip(counts, expected, strict=True))


@given(weights)
def test_no_example_is_dealt_twice(weights):
    counts = [dealt(n, weights) for n in range(40)]
    for before, after in pairwise(counts):
        assert sorted(b - a for a, b in zip(before, after, strict=True)) == [0] * (len(weights) - 1) + [1]


def test_four_to_one_is_four_and_one_in_every_step_of_five():
    mixture = Mixture((Part(range(7), 4.0), Part(range(3), 1.0)))
    steps = [[indices for _, indices in mixture.chosen(step, 5, seed=3)] for step in range(30)]
    assert all([len(each) for each in step] == [4, 1] for step in steps)
    for number, size in enumerate((7, 3)):
        seen = [index for step in steps for index in step[number]]
        epochs = [seen[first : first + size] for first in range(0, len(seen) - size, size)]
        assert all(sorted(epoch) == list(range(size)) for epoch in epochs)


def test_one_set_is_seen_as_it_is_without_a_mixture():
    mixture = Mixture((Part(range(7), 0.3),))
    for step in range(9):
        [(_, indices)] = mixture.chosen(step, 4, seed=5)
        assert indices == chosen_examples(step, 4, 7, 5)


def encoded(n, side, generator):
    """Examples whose latents and captions differ."""
    return [
        EncodedExample(
            EncodedPicture(torch.randn(16, side, side, generator=generator), torch.full((16, side, side), -8.0)),
            (torch.randn(5 + index, 48, generator=generator),),
        )
        for index in range(n)
    ]


class Drawn:
    """One picture, always with words of its own."""

    def __init__(self, example):
        self.example = example

    def __len__(self):
        return 1

    def drawn(self, indices, generator):
        words = [torch.randn(4, 48, generator=generator) for _ in indices]
        return [self.example._replace(captions=(each,)) for each in words]


@pytest.fixture
def dataset(generator):
    live = Drawn(encoded(1, 4, generator)[0])
    assert isinstance(live, DrawnExamples)
    parts = (Part(encoded(3, 4, generator), 2.0), Part(encoded(2, 6, generator), 1.0, 3.0), Part(live, 1.0))
    return TrainingSet(examples=Mixture(parts), no_caption=torch.ones(3, 48))


STEP = FlowMatching(batch=3, token_budget=200)


def losses(dataset, folder, steps=6):
    dit = tiny.dit()
    lora = LoraTrainable(dit, rank=2, alpha=2.0, generator=torch.Generator().manual_seed(0))
    recipe = Recipe(steps=steps, lr=0.01, save_every=2)
    yield from (each.loss for each in train_examples(dit, lora, dataset, STEP, recipe, folder))


def test_what_a_killed_run_left_goes_on_with_the_same_losses(dataset, tmp_path):
    whole = losses(dataset, tmp_path / "whole")
    first = list(islice(whole, 3))
    shutil.copytree(tmp_path / "whole", tmp_path / "killed")  # after the third step: saved were two
    rest = list(whole)
    assert list(losses(dataset, tmp_path / "killed")) == [first[2], *rest]


def test_a_set_has_levels_of_its_own_and_what_it_draws_comes_from_the_step(dataset):
    found, again = (
        [examples_of(dataset, STEP, 0, step, torch.Generator().manual_seed(step)) for step in range(4)]
        for _ in range(2)
    )
    shifts = Counter((example.picture.mean.shape[-1], levels.shift) for step in found for example, levels in step)
    assert shifts == {(4, 1.0): 9, (6, 3.0): 3}
    for one, other in zip(found, again, strict=True):
        assert all(a.captions[0].equal(b.captions[0]) for (a, _), (b, _) in zip(one, other, strict=True))
