"""Normalized attention guidance against the paper's formulas on two whole sequences, written out token by token."""

import pytest
import torch

from zimage_core.attention import attention
from zimage_core.conditioning.nag import Layout, NormalizedGuidance, attend_beside_negative

SETTINGS = [(3.0, 2.5, 0.25), (11.0, 1.2, 1.0), (1.5, 0.5, 0.7)]


def guided_token(positive, negative, scale, tau, alpha):
    """Equations 5 to 8 of arXiv 2505.21179 for one token, in plain numbers."""
    far = [scale * z - (scale - 1) * n for z, n in zip(positive, negative, strict=True)]
    ratio = sum(abs(z) for z in far) / sum(abs(z) for z in positive)
    kept = min(ratio, tau) / ratio
    return [alpha * kept * g + (1 - alpha) * z for g, z in zip(far, positive, strict=True)]


@pytest.mark.parametrize("settings", SETTINGS)
def test_it_is_the_papers_formula_on_two_sequences_with_a_picture_each(settings):
    """One picture beside two prompts gives what two copies of it give, each with a prompt of its own."""
    generator = torch.Generator().manual_seed(3)
    prompt, picture, negative = (torch.randn(3, 2, 2, n, 4, generator=generator) for n in (3, 5, 4))
    beside = torch.cat((prompt, picture, negative), dim=-2)  # q, k, v of (b, h, n + m, e)
    scale, tau, alpha = settings
    guidance = NormalizedGuidance(scale=scale, tau=tau, alpha=alpha)
    found = attend_beside_negative(guidance, Layout(3, 4, [(1, 2)]), attention, attention, *beside)
    plain, away = (attention(*torch.cat((picture, words), dim=-2)) for words in (prompt, negative))
    for item in range(2):
        for token in range(5):
            pair = plain[item, token].tolist(), away[item, token].tolist()
            expected = guided_token(*pair, *settings) if item == 1 else pair[0]
            torch.testing.assert_close(found[item, 3 + token], torch.tensor(expected))
    torch.testing.assert_close(found[:, :3], plain[:, 5:])
    torch.testing.assert_close(found[1, 8:], away[1, 5:])


def test_prompt_and_negative_prompt_alike_give_the_prompt():
    tokens = torch.randn(1, 6, 8)
    torch.testing.assert_close(NormalizedGuidance(scale=7.0, alpha=1.0)(tokens, tokens.clone()), tokens)


def test_the_norm_is_counted_in_float32():
    """3,840 halves of 30,000 each overflow a half's sum."""
    tokens = torch.full((1, 1, 3840), 3e4, dtype=torch.float16)
    found = NormalizedGuidance(scale=2.0, tau=1.0, alpha=0.5)(tokens, tokens * 0.99)
    torch.testing.assert_close(found, tokens, rtol=0.01, atol=0)


@pytest.mark.parametrize("wrong", [{"scale": 0.5}, {"tau": 0.0}, {"alpha": 1.5}, {"scale": float("nan")}])
def test_settings_that_mean_nothing_are_refused_with_their_numbers(wrong):
    with pytest.raises(ValueError, match="at least 1, a tau above 0 and an alpha from 0 to 1, not"):
        NormalizedGuidance(**wrong)
