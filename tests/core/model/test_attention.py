"""Attention in slices of queries: softmax is taken for every query alone, so slices change no sum's terms."""

import pytest
import torch

import tiny
from zimage_core import attention as attention_module
from zimage_core.attention import MIN_SLICE, attention, attention_in_slices, has_fused_kernel, slice_size
from zimage_core.config import FLUX_VAE
from zimage_core.vae.activation_bytes import middle_steps


@pytest.fixture
def sizes(monkeypatch):
    """Queries of every call of PyTorch's attention."""
    seen, attend = [], attention

    def counted(q, k, v, **options):
        seen.append(q.shape[2])
        return attend(q, k, v, **options)

    monkeypatch.setattr(attention_module, "attention", counted)
    return seen


def heads(generator, n=100, width=128):
    return [torch.randn(2, 1, n, width, generator=generator, dtype=torch.float64) for _ in range(3)]


def test_a_fused_kernel_takes_all_queries_at_once(generator, sizes):
    q, k, v = heads(generator)
    assert has_fused_kernel(q, k, v)  # the CPU's takes any width
    assert torch.equal(attention_in_slices(q, k, v), attention(q, k, v))
    assert sizes == [100]


@pytest.mark.parametrize("answer", [0, -1, NotImplementedError])
def test_without_one_the_scores_of_a_slice_stay_within_their_bound(generator, sizes, monkeypatch, answer):
    """As PyTorch answers for a head of 512 on AMD (the math back-end), or not at all, on MPS."""

    def choose(q, k, v):
        if answer is NotImplementedError:
            raise NotImplementedError
        return answer

    monkeypatch.setattr(torch, "_fused_sdp_choice", choose)
    q, k, v = heads(generator)
    expected = torch.softmax(q @ k.mT / 128**0.5, dim=-1) @ v  # (b, 1, n, e)
    torch.testing.assert_close(attention_in_slices(q, k, v), expected[:, 0], atol=1e-12, rtol=0)
    assert sizes == [32, 32, 32, 4]


def test_meta_tensors_have_no_fused_kernel():
    q = torch.empty(1, 1, 64, 512, device="meta")
    assert not has_fused_kernel(q, q, q)


def test_running_out_of_memory_halves_the_slices_until_they_fit(generator, sizes, monkeypatch):
    limit, attend = 30, attention_module.attention

    def limited(q, k, v):
        if q.shape[2] > limit:
            raise torch.OutOfMemoryError
        return attend(q, k, v)

    monkeypatch.setattr(attention_module, "attention", limited)
    q, k, v = heads(generator)
    torch.testing.assert_close(attention_in_slices(q, k, v), attention(q, k, v), atol=1e-12, rtol=0)
    assert sizes == [25] * 4
    limit = MIN_SLICE - 1
    with pytest.raises(torch.OutOfMemoryError):
        attention_in_slices(q, k, v)


def test_an_autoencoder_draws_the_same_picture_in_slices(generator, sizes, monkeypatch):
    vae, latent = tiny.vae(), torch.randn(1, 16, 9, 12, generator=generator)
    with torch.inference_mode():
        whole = vae.decode(latent)
        monkeypatch.setattr(torch, "_fused_sdp_choice", lambda q, k, v: 0)
        torch.testing.assert_close(vae.decode(latent), whole, atol=1e-5, rtol=0)
    assert sizes == [108] + [16] * 6 + [12]


def test_slices_are_counted_and_full_scores_are_not():
    """At 2048x2048 full scores in 16 bits would be 8.6 GB; a slice takes what one feature map takes, 67 MB."""
    cells, width = 256**2, FLUX_VAE.decoder_widths[-1]
    assert slice_size(width) * cells * (4 + 4) == 2 * width * cells  # float32 scores and softmax, a map in bfloat16
    _, attending, _ = middle_steps(width, cells)
    assert attending.copied == (2 + 2 + 1) * width * cells  # keys and values in float32, and the slice
