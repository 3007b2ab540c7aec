"""Previews show ComfyUI's colours, on a GPU one step later and without waiting, and nano's in its own."""

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
        assert (kind, size) == (expected[0], 8 * 8)
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


def test_a_linear_preview_is_ours_and_every_other_comfyuis(previews, previewer, monkeypatch):
    import comfy.model_management
    import latent_preview

    model = SimpleNamespace(load_device=torch.device("cpu"), model=SimpleNamespace(latent_format=None))
    monkeypatch.setattr(latent_preview, "prepare_callback", lambda model, steps: "ComfyUI's")
    monkeypatch.setattr(latent_preview, "get_previewer", lambda device, latent_format: previewer)
    for is_cuda in (False, True):
        monkeypatch.setattr(comfy.model_management, "is_device_cuda", lambda device, is_cuda=is_cuda: is_cuda)
        assert previews.prepare_callback(model, 4) != "ComfyUI's"
    for other in (None, latent_preview.TAESDPreviewerImpl(None)):
        monkeypatch.setattr(latent_preview, "get_previewer", lambda device, latent_format, other=other: other)
        assert previews.prepare_callback(model, 4) == "ComfyUI's"


@pytest.mark.parametrize("cells", [(64, 80), (6, 8)])
def test_on_the_cpu_every_step_is_shown_at_once_and_never_above_its_size(previews, previewer, generator, cells):
    latents = [torch.randn(2, 16, *cells, generator=generator) for _ in range(3)]
    bar = Bar()
    callback = previews.immediate_callback(previewer, bar)
    for step, latent in enumerate(latents):
        callback(step, latent, latent, len(latents))
    for latent, (_, _, (kind, image, size)) in zip(latents, bar.calls, strict=True):
        expected = previewer.decode_latent_to_preview_image("JPEG", latent)
        assert np.array_equal(np.asarray(image), np.asarray(expected[1]))
        assert (kind, size) == ("JPEG", min(512, 8 * max(cells)))


def test_nanos_preview_shows_the_picture_and_fluxs_does_not(pack, previews, previewer):
    """Nano's autoencoder has latents of its own; ComfyUI's own previewer and ours show them alike."""
    import latent_preview

    from zimage_core.checkpoints import load_vae
    from zimage_core.nano.data.scenes import held_out_scenes
    from zimage_core.nano.files import FOLDER
    from zimage_core.nano.stages.autoencoder import render_batch

    nano = importlib.import_module("zimage_pack.nodes.bridge.network.nano_latents").NanoLatents()
    scenes = held_out_scenes()[:8]
    pictures = render_batch(scenes, range(8))
    with torch.no_grad():
        latents = load_vae(FOLDER, torch.float32).encode(pictures)
    nanos_previewer = latent_preview.Latent2RGBPreviewer(
        nano.latent_rgb_factors, nano.latent_rgb_factors_bias, nano.latent_rgb_factors_reshape
    )
    for picture, latent in zip(pictures, latents, strict=True):
        shown = previews.levels_of(nanos_previewer, latent[None])
        native = np.asarray(nanos_previewer.decode_latent_to_preview(latent[None]))
        assert np.array_equal(shown.numpy(), native)
        truth = (torch.nn.functional.avg_pool2d(picture, 2).movedim(0, -1) + 1) * 127.5
        assert (shown - truth).abs().mean() < 12
        assert truth.shape == shown.shape
    rainbow = previews.levels_of(previewer, latents[:1]).float()
    whole = torch.nn.functional.interpolate(rainbow.movedim(-1, 0)[None], scale_factor=8)[0].movedim(0, -1)
    assert (whole - (pictures[0].movedim(0, -1) + 1) * 127.5).abs().mean() > 50
