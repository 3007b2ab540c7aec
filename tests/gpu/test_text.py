"""The text encoder at the released width with a few layers."""

from dataclasses import replace

import pytest
import torch

import gpu
from gpu import float32_on_cpu, relative_error
from zimage_core.config import QWEN3_4B
from zimage_core.kernels import PLAIN, use_kernels
from zimage_core.text import Qwen3

CONFIG = replace(QWEN3_4B, n_layers=5, vocab_size=4096)
PROMPTS = [list(range(3, 40)), list(range(900, 1001)), [7]]


@pytest.fixture(scope="module")
def encoder():
    return gpu.with_random_weights(Qwen3(CONFIG, device="meta"))


@pytest.fixture(scope="module")
def truth(encoder):
    with torch.inference_mode():
        return float32_on_cpu(encoder).encode(PROMPTS)


def test_embeddings_in_bfloat16_are_as_accurate_as_with_plain_kernels(encoder, truth):
    found = encoder.encode(PROMPTS)
    with use_kernels(PLAIN):
        plain = encoder.encode(PROMPTS)
    found, plain, expected = (torch.cat(each) for each in (found, plain, truth))
    assert relative_error(found, expected) <= 1.1 * relative_error(plain, expected)
    assert relative_error(plain, expected) < 0.03


def test_a_single_prompt_is_encoded_as_in_a_batch(encoder, truth):
    for prompt, embeddings in zip(PROMPTS, truth, strict=True):
        assert relative_error(encoder.encode([prompt])[0], embeddings) < 0.03


def test_the_embedding_table_may_stay_on_the_cpu(encoder):
    expected = encoder.encode(PROMPTS)
    encoder.model.embed_tokens.cpu()
    try:
        found = encoder.encode(PROMPTS)
    finally:
        encoder.model.embed_tokens.to(gpu.DEVICE)
    assert all(torch.equal(*pair) for pair in zip(found, expected, strict=True))
    assert found[0].device.type == gpu.DEVICE.type
