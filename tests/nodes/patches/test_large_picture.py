"""Z-Image Large Picture on nano: one run is the native one, enlarged, and its last steps in tiles."""

import importlib
from types import SimpleNamespace

import pytest
import torch

from model_files import write_control
from native_pictures import same, stock_node
from zimage_core.config import NANO_DIT


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


def draw(nano, model, latent, denoise=1.0, steps=4, sampler="euler"):
    caption = torch.randn(1, 20, nano.model.model.diffusion_model.config.cap_feat_dim, generator=generator())
    settings = {"seed": 7, "steps": steps, "cfg": 1.0, "sampler_name": sampler, "scheduler": "simple"}
    (out,) = stock_node("nodes", "KSampler")(
        model=model,
        positive=[[caption, {}]],
        negative=[[caption, {}]],
        latent_image=latent,
        denoise=denoise,
        **settings,
    )
    return out["samples"]


def finish(model, latents):
    """The last three of four steps from latents (1, 16, h, w)."""
    import comfy.sample
    import comfy.samplers

    sigmas = comfy.samplers.calculate_sigmas(model.get_model_object("model_sampling"), "simple", 4)[-3:]
    caption = torch.randn(1, 20, model.model.diffusion_model.config.cap_feat_dim, generator=generator())
    guider = comfy.samplers.CFGGuider(model)
    guider.set_conds([[caption, {}]], [[caption, {}]])
    guider.set_cfg(1.0)
    noise = comfy.sample.prepare_noise(latents, 7)
    return guider.sample(noise, latents, comfy.samplers.ksampler("euler"), sigmas, disable_pbar=True, seed=7)


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
    same(found, finish(tiles, again), 1e-4)


def test_a_controlnet_keeps_to_the_enlarged_picture_as_apply_controlnet_would(nano, pack, monkeypatch, tmp_path):
    write_control(tmp_path / "control.safetensors", NANO_DIT)
    load_control = importlib.import_module("zimage_pack.nodes.bridge.loading.control_net").load_control
    control_net = load_control(str(tmp_path / "control.safetensors"))
    settings = {"width": 128, "height": 128, "method": "tiles", "detail": 0.5, "control_net": control_net}
    steered, off = (
        nano.node.execute(model=nano.model, vae=nano.vae, **settings, control_strength=each).result[0]
        for each in (0.7, 0.0)
    )
    plain, latent, _ = large(nano, method="tiles")
    seen, enlarged = [], nano.bridge.enlarged_latent
    monkeypatch.setattr(nano.bridge, "enlarged_latent", lambda *args: seen.append(args[1]) or enlarged(*args))
    before = draw(nano, plain, latent)
    assert torch.equal(draw(nano, off, latent), before)
    found = draw(nano, steered, latent)
    assert torch.equal(seen[0], seen[-1])  # what is drawn small is not steered
    pictures = nano.bridge.resample(nano.vae.decode(seen[0]).movedim(-1, 1), (128, 128)).movedim(1, -1)
    applied = importlib.import_module("zimage_pack.nodes.control").ZImageControl.execute(
        model=nano.tiled.execute(model=nano.model, tile_size=64, overlap=16).result[0],
        control_net=control_net,
        vae=nano.vae,
        image=pictures,
        **{"strength": 0.7, "start_percent": 0.0, "end_percent": 1.0, "computation": "author"},
    )
    same(found, finish(applied.result[0], enlarged(nano.vae, seen[0], (16, 16))), 1e-4)
    assert (found - before).abs().max() > 1e-2
    start = {"samples": torch.randn(1, 16, 16, 16, generator=generator())}
    assert torch.equal(draw(nano, steered, start, denoise=0.5), draw(nano, plain, start, denoise=0.5))


@pytest.mark.parametrize("settings", [{"width": 64, "height": 64, "method": "tiles"}, {"detail": 0.0}])
def test_a_native_size_and_detail_0_are_bit_equal_to_no_node(nano, settings):
    model, latent, note = large(nano, **settings)
    assert "drawn as it is." in note and ("Detail is 0" in note) == ("detail" in settings)
    assert torch.equal(draw(nano, model, latent), draw(nano, nano.model, latent))


def test_a_size_between_patches_is_rounded_and_said(nano):
    _, latent, note = large(nano, 143, 128)
    assert latent["samples"].shape[-2:] == (16, 16) and "143x128 was rounded to 128x128" in note


def test_unipc_gets_the_two_steps_without_which_it_leaves_noise(nano):
    model, latent, _ = large(nano, detail=0.1)
    two = large(nano, detail=0.5)[0]
    assert torch.equal(*(draw(nano, each, latent, sampler="uni_pc") for each in (model, two)))
    assert not torch.equal(*(draw(nano, each, latent) for each in (model, two)))


def test_an_interruption_is_heard_while_the_enlarged_picture_is_encoded(nano, monkeypatch):
    import comfy.model_management as management

    calls = []

    def interrupt(*_):
        calls.append(1)
        management.interrupt_current_processing(True)

    hook = nano.vae.first_stage_model.encoder.conv_in.register_forward_hook(interrupt)
    later = nano.vae.first_stage_model.encoder.mid.register_forward_hook(lambda *_: pytest.fail("went on"))
    model, latent, _ = large(nano)
    with pytest.raises(management.InterruptProcessingException):
        draw(nano, model, latent)
    hook.remove()
    later.remove()
    assert calls


def test_an_enlarged_picture_has_the_latent_of_the_plain_encoder(nano, monkeypatch):
    """In strips by our autoencoder; another one encodes by itself, or in ComfyUI's tiles where it does not fit."""
    vae = importlib.import_module("zimage_pack.nodes.bridge.loading.vae")
    images = torch.rand(1, 128, 96, 3, generator=generator())
    plain = nano.vae.encode(images)
    same(vae.encode_large(nano.vae, images), plain, 1e-4)
    called = []
    other = SimpleNamespace(
        **{name: getattr(nano.vae, name) for name in ("memory_used_encode", "vae_dtype", "device")},
        **{"first_stage_model": None, "encode": called.append, "encode_tiled": lambda images: called.append("tiled")},
    )
    vae.encode_large(other, images)
    monkeypatch.setattr(vae.model_management, "get_total_memory", lambda device: 2**20)
    vae.encode_large(other, images)
    assert called == [images, "tiled"]


def test_both_published_ways_of_scaling_positions_draw_whole_pictures(nano):
    found = [draw(nano, *large(nano, method=method)[:2]) for method in ("whole", "whole, Vision YaRN")]
    assert all(each.isfinite().all() for each in found) and not torch.equal(*found)
    native = [draw(nano, *large(nano, 64, 64, method)[:2]) for method in ("as it is", "whole, Vision YaRN")]
    assert torch.equal(*native)


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
    monkeypatch.setattr(nano.bridge, "PICTURE_BYTES", 0)
    monkeypatch.setattr(nano.bridge, "strips_ram_bytes", lambda *_: 0)
    with pytest.raises(ValueError, match=r"A step at 8192x8192 needs .* Choose automatic or tiles"):
        large(nano, 8192, 8192, method="whole")
    assert "tiles of 64x64" in large(nano, 8192, 8192)[2]


def test_a_picture_that_could_not_be_decoded_is_refused_before_anything_runs(nano, monkeypatch):
    monkeypatch.setattr(nano.bridge.model_management, "get_total_memory", lambda device: 24 * 2**30)
    for method in ("whole", "tiles"):
        with pytest.raises(ValueError, match=r"To decode 16384x16384 takes \d\d\.\d GB of RAM .* has 21\.6 GB"):
            large(nano, 16384, 16384, method=method)
    assert "tiles of 64x64" in large(nano, 4096, 4096)[2]
