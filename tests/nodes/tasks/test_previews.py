"""Previews show ComfyUI's colours one step later, and never wait for a copy that is not complete."""

import importlib
from types import SimpleNamespace

import numpy as np
import pytest
import torch


@pytest.fixture
def previews(pack):
    return importlib.import_module("zimage_pack.nodes.bridge.tasks.previews")


@pytest.fixture
def previewer(comfy):
    import comfy.latent_formats
    import latent_preview

    flux = comfy.latent_formats.Flux()
    return latent_preview.Latent2RGBPreviewer(flux.latent_rgb_factors, flux.latent_rgb_factors_bias)


class Bar:
    def __init__(self):
        self.calls = []

    def update_absolute(self, value, total, preview):
        self.calls.append((value, total, preview))


class SlowCopy:
    """Complete after its result was requested `patience` times."""

    def __init__(self, levels, patience):
        self.levels, self.patience = levels, patience

    def result(self):
        self.patience -= 1
        return None if self.patience >= 0 else self.levels


def run(previews, previewer, latents, patience):
    bar, copied = Bar(), []

    def start_copy(levels):
        copied.append(levels)
        return SlowCopy(levels, patience)

    callback = previews.async_callback(previewer, bar, start_copy)
    for step, latent in enumerate(latents):
        callback(step, latent, latent, len(latents))
    return bar.calls, copied


def test_every_step_shows_the_one_before_in_comfyuis_colours(previews, previewer, generator):
    latents = [torch.randn(2, 16, 6, 8, generator=generator) for _ in range(4)]
    calls, _ = run(previews, previewer, latents, patience=0)
    assert [(value, total) for value, total, _ in calls] == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert calls[0][2] is None
    for latent, (_, _, (kind, image, size)) in zip(latents, calls[1:], strict=False):
        expected = previewer.decode_latent_to_preview_image("JPEG", latent)
        assert (kind, size) == (expected[0], expected[2])
        assert np.array_equal(np.asarray(image), np.asarray(expected[1]))


def test_a_slow_copy_delays_no_step_and_no_second_one_starts_meanwhile(previews, previewer, generator):
    latents = [torch.randn(1, 16, 4, 4, generator=generator) for _ in range(6)]
    calls, copied = run(previews, previewer, latents, patience=2)
    assert [preview is not None for _, _, preview in calls] == [False, False, False, True, False, False]
    assert len(copied) == 2
    calls, copied = run(previews, previewer, latents, patience=99)
    assert [value for value, _, _ in calls] == [1, 2, 3, 4, 5, 6]
    assert not any(preview for _, _, preview in calls)
    assert len(copied) == 1


def test_without_cuda_or_with_another_preview_comfyui_does_it_all(previews, previewer, monkeypatch):
    import comfy.model_management
    import latent_preview

    model = SimpleNamespace(load_device=torch.device("cpu"), model=SimpleNamespace(latent_format=None))
    monkeypatch.setattr(latent_preview, "prepare_callback", lambda model, steps: "ComfyUI's")
    monkeypatch.setattr(latent_preview, "get_previewer", lambda device, latent_format: previewer)
    assert previews.prepare_callback(model, 4) == "ComfyUI's"
    monkeypatch.setattr(comfy.model_management, "is_device_cuda", lambda device: True)
    assert previews.prepare_callback(model, 4) != "ComfyUI's"
    for other in (None, latent_preview.TAESDPreviewerImpl(None)):
        monkeypatch.setattr(latent_preview, "get_previewer", lambda device, latent_format, other=other: other)
        assert previews.prepare_callback(model, 4) == "ComfyUI's"
