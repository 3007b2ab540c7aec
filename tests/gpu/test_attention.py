"""All exact attention backends at the released head width, against float64; and the choice of the fastest."""

import pytest
import torch
from torch.nn.functional import scaled_dot_product_attention

import gpu
from gpu import randn, relative_error
from zimage_core.attention import BACKENDS
from zimage_core.measure import seconds
from zimage_core.runtime.attention_choice import FastestAttention

HEADS, HEAD = 5, 128
# Rounding of outputs, attention weights and GEMMs; float32 kernels may use three TF32 GEMMs (3xTF32).
TOLERANCES = {torch.bfloat16: 6e-3, torch.float16: 8e-4, torch.float32: 2e-5}


def random_qkv(n_queries, dtype, n_keys=None):
    """q, k, v as in the model: views of one fused QKV tensor, not contiguous per head."""
    n_keys = n_keys or n_queries
    qkv = randn(2, max(n_queries, n_keys), 3 * HEADS * HEAD, seed=n_queries, dtype=dtype)
    q, k, v = (each.transpose(1, 2) for each in qkv.unflatten(-1, (3, HEADS, HEAD)).unbind(2))
    return q[:, :, :n_queries], k[:, :, :n_keys], v[:, :, :n_keys]


def truth(q, k, v, *, is_causal=False):
    q, k, v = (each.cpu().double() for each in (q, k, v))
    scores = q @ k.mT / HEAD**0.5
    if is_causal:
        scores = scores.masked_fill(torch.ones(scores.shape[-2:]).triu(1).bool(), float("-inf"))
    return (scores.softmax(-1) @ v).transpose(1, 2).flatten(2)


def output_or_skip(name, q, k, v, **options):
    """A backend's output; skips with PyTorch's reason if this GPU does not support it."""
    try:
        return BACKENDS[name].run(q, k, v, **options)
    except RuntimeError as error:
        if name == "sdpa" or isinstance(error, torch.OutOfMemoryError):
            raise
        pytest.skip(f"{name} refuses here: {error}")


@pytest.mark.parametrize("is_causal", [False, True], ids=["", "causal"])
@pytest.mark.parametrize("dtype", TOLERANCES, ids=str)
@pytest.mark.parametrize("n", [37, 545, 1057])
@pytest.mark.parametrize("name", BACKENDS)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_every_backend_is_softmax_of_the_scores_times_the_values(name, n, dtype, is_causal):
    q, k, v = random_qkv(n, dtype)
    if not BACKENDS[name].supports(q):
        pytest.skip(f"{name} claims nothing for {dtype}")
    assert (
        relative_error(output_or_skip(name, q, k, v, is_causal=is_causal), truth(q, k, v, is_causal=is_causal))
        < TOLERANCES[dtype]
    )


@pytest.mark.parametrize("dtype", TOLERANCES, ids=str)
def test_another_number_of_keys_and_shared_key_heads_are_supported(dtype):
    q, k, v = random_qkv(70, dtype, n_keys=333)
    assert relative_error(BACKENDS["sdpa"].run(q, k, v), truth(q, k, v)) < TOLERANCES[dtype]
    shared = BACKENDS["sdpa"].run(q, k[:, :1], v[:, :1])
    assert relative_error(shared, truth(q, k[:, :1].expand_as(k), v[:, :1].expand_as(v))) < TOLERANCES[dtype]


@pytest.mark.parametrize("dtype", TOLERANCES, ids=str)
def test_the_fastest_is_measured_once_and_cached(dtype):
    measured = []
    attend = FastestAttention(measure=lambda run: measured.append(run) or seconds(run))
    q, k, v = random_qkv(1057, dtype)
    assert relative_error(attend(q, k, v), truth(q, k, v)) < TOLERANCES[dtype]
    assert list(attend.chosen.values())[0] in BACKENDS
    n_measured = len(measured)
    with gpu.no_sync():
        again = attend(q, k, v)
    assert len(measured) == n_measured and len(attend.chosen) == 1
    assert relative_error(again, truth(q, k, v)) < TOLERANCES[dtype]


def test_memory_does_not_grow_quadratically_with_the_tokens():
    """The full score matrix would take 3 GB here, so no backend may materialize it."""
    q, k, v = (randn(1, 30, 7000, HEAD, seed=seed) for seed in range(3))
    scaled_dot_product_attention(q, k, v)
    assert gpu.peak_bytes(lambda: BACKENDS["sdpa"].run(q, k, v)) < 4 * q.nbytes
