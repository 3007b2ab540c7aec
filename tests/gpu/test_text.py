"""The text encoder at its released width with a few layers."""

from dataclasses import replace

import card
import pytest
import torch
from card import drift, exact

from zimage_core.config import QWEN3_4B
from zimage_core.kernels import PLAIN, use_kernels
from zimage_core.text import Qwen3

CONFIG = replace(QWEN3_4B, n_layers=5, vocab_size=4096)
PROMPTS = [list(range(3, 40)), list(range(900, 1001)), [7]]


@pytest.fixture(scope="module")
def encoder():
    return card.filled(Qwen3(CONFIG, device="meta"))


@pytest.fixture(scope="module")
def truth(encoder):
    with torch.inference_mode():
        return exact(encoder).encode(PROMPTS)


def test_features_in_bfloat16_are_as_near_the_truth_as_with_plain_kernels(encoder, truth):
    found = encoder.encode(PROMPTS)
    with use_kernels(PLAIN):
        plain = encoder.encode(PROMPTS)
    found, plain, expected = (torch.cat(each) for each in (found, plain, truth))
    assert drift(found, expected) <= 1.1 * drift(plain, expected)
    assert drift(plain, expected) < 0.03


def test_a_prompt_by_itself_reads_as_in_a_batch(encoder, truth):
    for prompt, features in zip(PROMPTS, truth, strict=True):
        assert drift(encoder.encode([prompt])[0], features) < 0.03


def test_the_embedding_table_may_stay_on_the_processor(encoder):
    expected = encoder.encode(PROMPTS)
    encoder.model.embed_tokens.cpu()
    try:
        found = encoder.encode(PROMPTS)
    finally:
        encoder.model.embed_tokens.to(card.DEVICE)
    assert all(torch.equal(*pair) for pair in zip(found, expected, strict=True))
    assert found[0].device.type == card.DEVICE.type
