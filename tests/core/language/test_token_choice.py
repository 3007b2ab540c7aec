"""Filters of logits against transformers' own; draws against the probabilities they leave."""

import pytest
import torch
from transformers.generation import (
    LogitsProcessorList,
    MinPLogitsWarper,
    RepetitionPenaltyLogitsProcessor,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from zimage_core.language.token_choice import GREEDY, Sampling, choose_token, filtered, penalized


@pytest.mark.parametrize(
    ("temperature", "top_k", "top_p", "min_p"),
    [(0.6, 20, 0.95, 0.0), (1.0, 0, 1.0, 0.0), (1.7, 5, 1.0, 0.2), (0.3, 0, 0.01, 0.0), (1.0, 500, 0.5, 1.0)],
)
def test_what_is_left_is_what_transformers_leaves(temperature, top_k, top_p, min_p):
    logits = 3 * torch.randn(200, generator=torch.Generator().manual_seed(1))
    logits[7] = logits[8]  # a tie
    warpers = LogitsProcessorList([TemperatureLogitsWarper(temperature)])
    if top_k:
        warpers.append(TopKLogitsWarper(top_k))
    if top_p < 1:
        warpers.append(TopPLogitsWarper(top_p))
    if min_p:
        warpers.append(MinPLogitsWarper(min_p))
    ours = filtered(logits, Sampling(temperature=temperature, top_k=top_k, top_p=top_p, min_p=min_p))
    torch.testing.assert_close(ours, warpers(torch.tensor([[0]]), logits[None])[0])


def test_repeated_tokens_are_penalized_as_in_transformers():
    logits = torch.randn(50, generator=torch.Generator().manual_seed(2))
    history = [3, 3, 9, 40]
    theirs = RepetitionPenaltyLogitsProcessor(1.5)(torch.tensor([history]), logits[None].clone())[0]
    torch.testing.assert_close(penalized(logits, history, Sampling(repetition_penalty=1.5)), theirs)
    assert penalized(logits, history, Sampling()) is logits  # neutral
    less = penalized(logits, history, Sampling(presence_penalty=2.0)) - logits
    assert less.nonzero()[:, 0].tolist() == [3, 9, 40]
    torch.testing.assert_close(less[history], torch.full((4,), -2.0))


def test_tokens_are_drawn_as_often_as_their_probability_says_and_a_seed_repeats_them():
    logits = torch.tensor([0.5, 0.3, 0.2]).log()
    sampling = Sampling(temperature=1.0, top_k=0, top_p=1.0)

    def draw(seed):
        generator = torch.Generator().manual_seed(seed)
        return [choose_token(logits, (), sampling, generator) for _ in range(3000)]

    counts = torch.tensor(draw(1)).bincount() / 3000
    torch.testing.assert_close(counts, logits.exp(), atol=0.04, rtol=0)  # four standard deviations
    assert draw(1) == draw(1) != draw(2)
    assert choose_token(logits, (), GREEDY, torch.Generator()) == 0


@pytest.mark.parametrize(
    "fault",
    [{"temperature": -1.0}, {"temperature": float("nan")}, {"top_k": -1}, {"top_p": -0.1}, {"min_p": 1.1}],
)
def test_settings_out_of_range_are_refused_by_name(fault):
    with pytest.raises(ValueError, match=next(iter(fault)).replace("_", "-").split("-nan")[0]):
        Sampling(**fault)
