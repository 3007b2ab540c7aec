"""Z-Image Large Picture on nano: one run is the native one, enlarged, and its last steps in tiles."""

import importlib
from types import SimpleNamespace

import pytest
import torch

from native_pictures import same, stock_node


@pytest.fixture(scope="module")
def nano(pack):
    """The built-in MODEL and VAE, and the modules under test."""
    path = pack.bridge_files.path_of
    return SimpleNamespace(
        model=pack.bridge_model.load_model(path(pack.core_networks.DIT, pack.bridge_files.BUILT_IN)),
        vae=pack.bridge_vae.load_vae(path(pack.core_networks.VAE, pack.bridge_files.BUILT_IN)),
        node=importlib.import_module("zimage_pack.nodes.large_picture").ZImageLargePicture,
        bridge=importlib.import_module("zimage_pack.nodes.bridge.patches.large_picture"),
        tiled=importlib.import_module("zimage_pack.nodes.tiled_refine").ZImageTiledRefine,
    )


def large(nano, width=128, height=128, method="automatic", detail=0.5):
    out = nano.node.execute(model=nano.model, vae=nano.vae, width=width, height=height, method=method, detail=detail)
    return *out.result, out.ui.as_dict()["text"][0]


def draw(nano, model, latent, denoise=1.0, steps=4):
    caption = torch.randn(1, 20, nano.model.model.diffusion_model.config.cap_feat_dim, generator=generator())
    settings = {"seed": 7, "steps": steps, "cfg": 1.0, "sampler_name": "euler", "scheduler": "simple"}
    (out,) = stock_node("nodes", "KSampler")(
        model=model,
        positive=[[caption, {}]],
        negative=[[caption, {}]],
        latent_image=latent,
        denoise=denoise,
        **settings,
    )
    return out["samples"]


def generator():
    return torch.Generator().manual_seed(5)


def test_one_run_is_the_native_picture_enlarged_and_its_last_steps_in_tiles(nano, monkeypatch):
    model, latent, note = large(nano)
    assert "drawn at 64x64, enlarged, and its last steps drawn again in 9 tiles of 64x64 that overlap by 16" in note
    assert latent["samples"].shape == (1, 16, 16, 16)
    seen = []
    enlarged = nano.bridge.enlarged_latent
    monkeypatch.setattr(nano.bridge, "enlarged_latent", lambda *args: seen.append(args[1]) or enlarged(*args))
    found = draw(nano, model, latent)
    (small,) = seen
    assert small.shape == (1, 16, 8, 8)
    tiles = nano.tiled.execute(model=nano.model, tile_size=64, overlap=16).result[0]
    again = enlarged(nano.vae, small, (16, 16))
    import comfy.sample
    import comfy.samplers

    noise = comfy.sample.prepare_noise(latent["samples"], 7)
    sigmas = comfy.samplers.calculate_sigmas(tiles.get_model_object("model_sampling"), "simple", 4)[-3:]
    caption = torch.randn(1, 20, nano.model.model.diffusion_model.config.cap_feat_dim, generator=generator())
    guider = comfy.samplers.CFGGuider(tiles)
    guider.set_conds([[caption, {}]], [[caption, {}]])
    guider.set_cfg(1.0)
    expected = guider.sample(noise, again, comfy.samplers.ksampler("euler"), sigmas, disable_pbar=True, seed=7)
    same(found, expected, 1e-4)


def test_a_native_size_is_bit_equal_to_no_node(nano):
    model, latent, note = large(nano, 64, 64)
    assert note.startswith("64x64: drawn as it is.")
    assert torch.equal(draw(nano, model, latent), draw(nano, nano.model, latent))


def test_a_run_from_a_picture_is_only_refined(nano):
    model, _, _ = large(nano)
    start = {"samples": torch.randn(1, 16, 16, 16, generator=generator())}
    tiles = nano.tiled.execute(model=nano.model, tile_size=64, overlap=16).result[0]
    assert torch.equal(draw(nano, model, start, denoise=0.5), draw(nano, tiles, start, denoise=0.5))


def test_whole_scales_positions_and_the_model_that_came_in_stays(nano):
    before = draw(nano, nano.model, {"samples": torch.zeros(1, 16, 16, 16)})
    model, latent, note = large(nano, method="whole")
    assert "as a whole with scaled positions" in note
    assert not torch.equal(draw(nano, model, latent), before)
    assert torch.equal(draw(nano, nano.model, latent), before)


def test_what_does_not_fit_is_refused_before_anything_runs(nano, monkeypatch):
    monkeypatch.setattr(nano.bridge.model_management, "get_total_memory", lambda device: 2**28)
    with pytest.raises(ValueError, match=r"A step at 8192x8192 needs .* Choose automatic or tiles"):
        large(nano, 8192, 8192, method="whole")
    assert "tiles of 64x64" in large(nano, 8192, 8192)[2]
