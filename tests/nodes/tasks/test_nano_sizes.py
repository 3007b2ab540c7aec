"""nano at a size it was not made for: one line in the log whichever sampler draws it, and the note of our samplers."""

import importlib
import logging

import pytest
import torch


@pytest.fixture(scope="module")
def nano(pack):
    return pack.bridge_model.load_model(pack.bridge_files.path_of(pack.core_networks.DIT, pack.bridge_files.BUILT_IN))


@pytest.fixture(scope="module")
def caption(nano):
    return [[torch.zeros(1, 8, nano.model.diffusion_model.config.cap_feat_dim), {}]]


def drawn(pack, nano, caption, height, width, **latent):
    samples = torch.zeros(1, 16, height // 8, width // 8)
    values = {"sigmas": torch.tensor([1.0, 0.0]), "seed": 0, "solver": "euler"}
    guidance = importlib.import_module("zimage_pack.zimage_core.sampling").Guidance(cfg=1.0)
    return pack.bridge_sampling.sample(
        nano, caption, caption, {"samples": samples, **latent}, guidance=guidance, **values
    )


def warnings(caplog):
    return [each.getMessage() for each in caplog.records if each.levelno >= logging.WARNING and "nano" in each.message]


@pytest.mark.parametrize(("height", "width"), [(64, 64), (64, 80)])
def test_sizes_it_draws_are_drawn_without_a_word_on_them(pack, nano, caption, caplog, height, width):
    said = [*drawn(pack, nano, caption, height, width).ui().get("text", ()), *warnings(caplog)]
    assert not any("was made for" in each for each in said)  # one step alone may be called pale


@pytest.mark.parametrize(("height", "width"), [(48, 64), (96, 64), (128, 128)])
def test_other_sizes_are_drawn_and_said_once(pack, nano, caption, caplog, height, width):
    [told] = drawn(pack, nano, caption, height, width).ui()["text"]
    assert f"{width}x{height}" in told and "64x64" in told
    assert warnings(caplog) == [f"Z-Image: {told}"]


def test_where_a_mask_keeps_the_rest_only_the_area_counts(pack, nano, caption):
    mask = torch.ones(1, 1, 48, 80)
    assert drawn(pack, nano, caption, 48, 80, noise_mask=mask).note == ""
    assert drawn(pack, nano, caption, 128, 128, noise_mask=torch.ones(1, 1, 128, 128)).note


def test_a_stock_sampler_logs_it_too(pack, comfy, nano, caption, caplog):
    samples = torch.zeros(1, 16, 16, 16)
    comfy.sample.sample(nano, samples, 1, 1.0, "euler", "simple", caption, caption, samples, disable_pbar=True, seed=0)
    assert len(warnings(caplog)) == 1
