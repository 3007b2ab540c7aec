"""The released autoencoder: whole or in strips, in both memory formats, within its memory budget."""

import copy

import pytest
import torch

import gpu
from bench.precision import without_tf32
from gpu import randn, relative_error
from zimage_core.config import FLUX_VAE
from zimage_core.vae import Autoencoder, decode_budget_bytes, decode_within, encode_budget_bytes
from zimage_core.vae.activation_bytes import middle_steps

LATENT_SIZE = (96, 128)  # latent cells: 768x1024 pixels
MEMORY_FORMATS = [torch.contiguous_format, torch.channels_last]
LEVELS = 127.5  # 8-bit levels per unit of a picture in [-1, 1]


@pytest.fixture(scope="module")
def plain():
    """Random weights, scaled so that outputs are within [-1, 1]."""
    vae = gpu.with_random_weights(Autoencoder(FLUX_VAE, device="meta"))
    with torch.no_grad():
        vae.decoder.conv_out.weight.mul_(0.25)
    return vae


@pytest.fixture(scope="module")
def truth(plain):
    """The picture decoded in float32."""
    with without_tf32(), torch.inference_mode():
        return copy.deepcopy(plain).float().decode(randn(1, 16, *LATENT_SIZE).float()).cpu()


@pytest.fixture(params=MEMORY_FORMATS, ids=str)
def vae(plain, request):
    return copy.deepcopy(plain).to(memory_format=request.param)


def test_the_float32_reference_is_that_of_the_cpu(plain):
    small = randn(1, 16, 12, 20)
    expected = gpu.float32_on_cpu(plain).decode(small.cpu().float())
    assert relative_error(copy.deepcopy(plain).float().decode(small.float()), expected) < 1e-4


def test_both_memory_formats_decode_the_same_picture(vae, plain, truth):
    latent = randn(1, 16, *LATENT_SIZE)
    assert relative_error(vae.decode(latent), truth) <= 1.1 * relative_error(plain.decode(latent), truth)


@pytest.mark.parametrize("share", [4, 16])
def test_strips_leave_no_seams_and_stay_within_their_budget(vae, truth, share):
    latent = randn(1, 16, *LATENT_SIZE)
    whole = vae.decode(latent).float().cpu()
    budget = decode_budget_bytes(FLUX_VAE, LATENT_SIZE, torch.bfloat16) // share
    decoded, reports = [], []
    peak = gpu.peak_bytes(
        lambda: decoded.append(decode_within(vae, latent, budget, lambda *done: reports.append(done)))
    )
    strips = decoded[0].float().cpu()
    assert reports
    assert relative_error(strips, truth) <= 1.1 * relative_error(whole, truth)
    difference = (strips - whole).abs() * LEVELS
    assert difference.mean() < 1
    by_row = difference.mean(dim=(0, 1, 3))
    assert by_row.max() < 3 * by_row.mean()  # a seam would be a row that differs more than others
    attention = 2 * max(
        map(sum, middle_steps(FLUX_VAE.decoder_widths[-1], LATENT_SIZE[0] * LATENT_SIZE[1]))
    )  # never split into strips
    assert peak <= max(budget, attention) + strips.numel() * 2 + gpu.WORKSPACES  # plus the picture itself


def test_a_whole_decode_stays_within_its_budget(vae):
    latent = randn(1, 16, *LATENT_SIZE)
    vae.decode(latent)
    assert gpu.peak_bytes(lambda: vae.decode(latent)) <= decode_budget_bytes(FLUX_VAE, LATENT_SIZE, torch.bfloat16)


def test_a_whole_encode_stays_within_its_budget(vae):
    picture = randn(1, 3, 8 * LATENT_SIZE[0], 8 * LATENT_SIZE[1])
    vae.posterior(picture)
    assert gpu.peak_bytes(lambda: vae.posterior(picture)) <= encode_budget_bytes(FLUX_VAE, LATENT_SIZE, torch.bfloat16)


def test_decoding_never_syncs(vae):
    latent = randn(1, 16, *LATENT_SIZE)
    expected = vae.decode(latent)
    with gpu.no_sync():
        decoded = vae.decode(latent)
    assert relative_error(decoded, expected) < 0.01  # convolutions may choose another algorithm
