"""The autoencoder of the released size: whole or in strips, in either order of memory, within its budget."""

import copy

import card
import pytest
import torch
from card import drawn, drift

from zimage_core.config import FLUX_VAE
from zimage_core.vae import Autoencoder, decode_budget_bytes, decode_within, encode_budget_bytes
from zimage_core.vae.activation_bytes import middle_steps

SIZE = (96, 128)  # latent cells: 768x1024 pixels
FORMATS = [torch.contiguous_format, torch.channels_last]
LEVELS = 127.5  # of 255, for one unit of a picture in [-1, 1]


@pytest.fixture(scope="module")
def plain():
    """Random weights that draw within [-1, 1], as pictures are."""
    vae = card.filled(Autoencoder(FLUX_VAE, device="meta"))
    with torch.no_grad():
        vae.decoder.conv_out.weight.mul_(0.25)
    return vae


@pytest.fixture(scope="module")
def truth(plain):
    """In float32."""
    with card.whole_float32(), torch.inference_mode():
        return copy.deepcopy(plain).float().decode(drawn(1, 16, *SIZE).float()).cpu()


@pytest.fixture(params=FORMATS, ids=str)
def vae(plain, request):
    return copy.deepcopy(plain).to(memory_format=request.param)


def test_the_truth_is_the_processors(plain):
    small = drawn(1, 16, 12, 20)
    expected = card.exact(plain).decode(small.cpu().float())
    assert drift(copy.deepcopy(plain).float().decode(small.float()), expected) < 1e-4


def test_both_orders_of_memory_draw_the_same_picture(vae, plain, truth):
    latent = drawn(1, 16, *SIZE)
    assert drift(vae.decode(latent), truth) <= 1.1 * drift(plain.decode(latent), truth)


@pytest.mark.parametrize("share", [4, 16])
def test_strips_leave_no_seams_and_stay_within_their_budget(vae, truth, share):
    latent = drawn(1, 16, *SIZE)
    whole = vae.decode(latent).float().cpu()
    budget = decode_budget_bytes(FLUX_VAE, SIZE, torch.bfloat16) // share
    found, reports = [], []
    peak = card.peak(lambda: found.append(decode_within(vae, latent, budget, lambda *done: reports.append(done))))
    strips = found[0].float().cpu()
    assert reports
    assert drift(strips, truth) <= 1.1 * drift(whole, truth)
    difference = (strips - whole).abs() * LEVELS
    assert difference.mean() < 1
    by_row = difference.mean(dim=(0, 1, 3))
    assert by_row.max() < 3 * by_row.mean()  # a seam is a row that differs more than others
    attention = 2 * max(map(sum, middle_steps(FLUX_VAE.decoder_widths[-1], SIZE[0] * SIZE[1])))  # never in strips
    assert peak <= max(budget, attention) + strips.numel() * 2 + card.WORKSPACES  # and the picture itself


def test_a_whole_decode_stays_within_its_budget(vae):
    latent = drawn(1, 16, *SIZE)
    vae.decode(latent)
    assert card.peak(lambda: vae.decode(latent)) <= decode_budget_bytes(FLUX_VAE, SIZE, torch.bfloat16)


def test_a_whole_encode_stays_within_its_budget(vae):
    picture = drawn(1, 3, 8 * SIZE[0], 8 * SIZE[1])
    vae.posterior(picture)
    assert card.peak(lambda: vae.posterior(picture)) <= encode_budget_bytes(FLUX_VAE, SIZE, torch.bfloat16)


def test_a_step_of_decoding_never_waits_for_the_card(vae):
    latent = drawn(1, 16, *SIZE)
    expected = vae.decode(latent)
    with card.never_waiting():
        found = vae.decode(latent)
    assert drift(found, expected) < 0.01  # convolutions may choose another algorithm
