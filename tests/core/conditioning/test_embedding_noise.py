"""Noise on embeddings: its size, its share, what it leaves alone, and where its steps begin and end."""

import pytest
import torch

from zimage_core.conditioning.embedding_noise import EmbeddingNoise


def test_no_strength_no_share_or_no_steps_is_off():
    assert not EmbeddingNoise(strength=0.0).is_on
    assert not EmbeddingNoise(share=0.0).is_on
    assert not EmbeddingNoise(start=0.3, end=0.3).is_on


@pytest.mark.parametrize("share", [0.25, 1.0])
def test_it_is_uniform_up_to_strength_times_the_standard_deviation_on_a_share_of_the_values(generator, share):
    embeddings = torch.randn(1, 64, 512, generator=generator) * 3 + 1
    moved = EmbeddingNoise(strength=0.5, share=share, seed=4).of(embeddings) - embeddings
    size, changed = 0.5 * float(embeddings.std()), moved != 0
    assert float(changed.float().mean()) == pytest.approx(share, abs=0.01)
    assert float(moved.abs().max()) == pytest.approx(size, rel=1e-3)
    assert float(moved[changed].std()) == pytest.approx(size / 3**0.5, rel=0.02)  # of a uniform distribution


def test_protected_tokens_keep_their_bits_and_the_seed_decides_the_rest(generator):
    embeddings = torch.randn(1, 9, 64, generator=generator).bfloat16()
    one, same, other = (EmbeddingNoise(strength=2.0, seed=seed).of(embeddings, {0, 3, 99}) for seed in (1, 1, 2))
    assert torch.equal(one[:, [0, 3]], embeddings[:, [0, 3]]) and torch.equal(one, same)
    assert not torch.equal(one, other) and not torch.equal(one[:, 1], embeddings[:, 1])
    assert one.dtype == embeddings.dtype


@pytest.mark.parametrize(("start", "end"), [(0.0, 0.25), (0.25, 0.5), (0.0, 1.0), (0.5, 1.0)])
def test_every_step_of_a_run_reads_one_prompt_and_the_noised_one_where_it_should(start, end):
    pieces = EmbeddingNoise(start=start, end=end).ranges()
    for step in range(8):
        at = step / 8
        (is_noised,) = [noised for low, high, noised in pieces if low <= at <= high and (at < high or high == 1)]
        assert is_noised == (start <= at < end)


def test_a_conditioning_with_a_range_of_its_own_stays_inside_it():
    pieces = EmbeddingNoise(end=0.5).ranges(0.25, 0.75)
    assert pieces[0][0] == 0.25 and pieces[-1][1] == 0.75 and [noised for *_, noised in pieces] == [True, False]
    assert EmbeddingNoise(end=0.2).ranges(0.5, 1.0) == [(0.5, 1.0, False)]
