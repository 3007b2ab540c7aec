"""Every exact attention at the released head width, against the formula in float64; and the choice among them."""

import pytest
import torch
from torch.nn.functional import scaled_dot_product_attention

import gpu
from gpu import randn, relative_error
from zimage_core.attention import BACKENDS
from zimage_core.measure import seconds
from zimage_core.runtime.attention_choice import FastestAttention

HEADS, HEAD = 5, 128
# Rounding of the answer, of the weights and of products; float32 kernels may split their products into three of TF32.
NEAR = {torch.bfloat16: 6e-3, torch.float16: 8e-4, torch.float32: 2e-5}


def made(n_queries, dtype, n_keys=None):
    """As the model hands them over: parts of one matrix's product, heads not together in memory."""
    n_keys = n_keys or n_queries
    both = randn(2, max(n_queries, n_keys), 3 * HEADS * HEAD, seed=n_queries, dtype=dtype)
    q, k, v = (each.transpose(1, 2) for each in both.unflatten(-1, (3, HEADS, HEAD)).unbind(2))
    return q[:, :, :n_queries], k[:, :, :n_keys], v[:, :, :n_keys]


def truth(q, k, v, *, is_causal=False):
    q, k, v = (each.cpu().double() for each in (q, k, v))
    scores = q @ k.mT / HEAD**0.5
    if is_causal:
        scores = scores.masked_fill(torch.ones(scores.shape[-2:]).triu(1).bool(), float("-inf"))
    return (scores.softmax(-1) @ v).transpose(1, 2).flatten(2)


def answer(name, q, k, v, **options):
    """A back-end's, or a skip that says in PyTorch's words why this card has no such kernel."""
    try:
        return BACKENDS[name].run(q, k, v, **options)
    except RuntimeError as error:
        if name == "sdpa" or isinstance(error, torch.OutOfMemoryError):
            raise
        pytest.skip(f"{name} refuses here: {error}")


@pytest.mark.parametrize("is_causal", [False, True], ids=["", "causal"])
@pytest.mark.parametrize("dtype", NEAR, ids=str)
@pytest.mark.parametrize("n", [37, 545, 1057])
@pytest.mark.parametrize("name", BACKENDS)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_every_back_end_is_softmax_of_the_scores_times_the_values(name, n, dtype, is_causal):
    q, k, v = made(n, dtype)
    if not BACKENDS[name].supports(q):
        pytest.skip(f"{name} claims nothing for {dtype}")
    assert relative_error(answer(name, q, k, v, is_causal=is_causal), truth(q, k, v, is_causal=is_causal)) < NEAR[dtype]


@pytest.mark.parametrize("dtype", NEAR, ids=str)
def test_keys_of_another_number_and_shared_key_heads_are_taken(dtype):
    q, k, v = made(70, dtype, n_keys=333)
    assert relative_error(BACKENDS["sdpa"].run(q, k, v), truth(q, k, v)) < NEAR[dtype]
    shared = BACKENDS["sdpa"].run(q, k[:, :1], v[:, :1])
    assert relative_error(shared, truth(q, k[:, :1].expand_as(k), v[:, :1].expand_as(v))) < NEAR[dtype]


@pytest.mark.parametrize("dtype", NEAR, ids=str)
def test_the_fastest_is_measured_once_and_remembered(dtype):
    measured = []
    attend = FastestAttention(measure=lambda run: measured.append(run) or seconds(run))
    q, k, v = made(1057, dtype)
    assert relative_error(attend(q, k, v), truth(q, k, v)) < NEAR[dtype]
    assert list(attend.chosen.values())[0] in BACKENDS
    n_measured = len(measured)
    with gpu.no_host_sync():
        again = attend(q, k, v)
    assert len(measured) == n_measured and len(attend.chosen) == 1
    assert relative_error(again, truth(q, k, v)) < NEAR[dtype]


def test_no_memory_grows_with_the_square_of_the_tokens():
    """The whole matrix of scores would be 3 GB here; a kernel that makes it is not meant for pictures."""
    q, k, v = (randn(1, 30, 7000, HEAD, seed=seed) for seed in range(3))
    scaled_dot_product_attention(q, k, v)
    assert gpu.peak_bytes(lambda: BACKENDS["sdpa"].run(q, k, v)) < 4 * q.nbytes
