"""A MODEL in tiles: the core's blending whatever the network and the sampler, one tile's memory, ControlNets cut."""

import importlib
from types import SimpleNamespace

import pytest
import torch

import native_pictures
from controlled_pictures import picture
from native_pictures import same

KINDS = ("ours", "native", "attached")


@pytest.fixture(scope="module")
def models(pack, native, tmp_path_factory):
    """Our MODEL, native's, and native's with our forward, on the same weights."""
    stock = native.model(native.CONFIG)
    ours = native.ours(pack, tmp_path_factory.mktemp("tiled"), native.CONFIG)
    attached = importlib.import_module("zimage_pack.nodes.bridge.network.attach").attach(stock)
    return SimpleNamespace(ours=ours, native=stock, attached=attached)


@pytest.fixture(scope="module")
def tiled(pack):
    """Our node's call."""
    node = importlib.import_module("zimage_pack.nodes.tiled_refine").ZImageTiledRefine

    def call(model, tile_size=64, overlap=16):
        return node.execute(model=model, tile_size=tile_size, overlap=overlap).result[0]

    return call


def start(size):
    return {"samples": torch.randn(1, 16, *size, generator=torch.Generator().manual_seed(3))}


def draw(native, model, size=(8, 8), **settings):
    return native_pictures.draw(native, model, latent=start(size), **{"steps": 2, "denoise": 0.5, **settings})


def test_the_cost_is_told_before_it_starts_and_the_absurd_refused(models):
    node = importlib.import_module("zimage_pack.nodes.tiled_refine").ZImageTiledRefine
    note = node.execute(model=models.ours, tile_size=1024, overlap=256).ui.as_dict()["text"][0]
    assert note.startswith("2048x2048 is 9 tiles and model calls a step, 4096x4096 25: 1.6 times")
    assert node.execute(model=models.ours, tile_size=64, overlap=32)
    with pytest.raises(ValueError, match="overlap by 48 draw every place about 16 times"):
        node.execute(model=models.ours, tile_size=64, overlap=48)


@pytest.mark.parametrize("kind", KINDS)
def test_a_tile_that_covers_the_picture_is_bit_equal_to_no_node(native, models, tiled, kind):
    model = getattr(models, kind)
    assert torch.equal(draw(native, tiled(model)), draw(native, model))


def test_the_model_that_came_in_stays_as_it_was(native, models, tiled):
    before = draw(native, models.ours, (12, 16))
    inside = tiled(models.ours)
    assert not torch.equal(draw(native, inside, (12, 16)), before)
    assert torch.equal(draw(native, models.ours, (12, 16)), before)
    assert "memory_required" not in vars(models.ours.model)


@pytest.mark.parametrize("kind", KINDS)
def test_a_step_is_the_cores_blend_of_the_networks_tiles(native, models, tiled, kind):
    """Guidance included: both prompts run on each tile."""
    model, core = getattr(models, kind), importlib.import_module("zimage_pack.zimage_core.sampling")
    network, x = model.get_model_object("diffusion_model"), start((12, 16))["samples"]
    context, calls = torch.randn(1, 32, 64, generator=torch.Generator().manual_seed(5)), []

    def evaluate(tile, window):
        calls.append(window)
        return network(tile, torch.full((1,), 0.6), context, 32, transformer_options={})

    expected = core.blend(core.Tiling(height=8, width=8, overlap=2), x, evaluate)
    options = {"wrappers": tiled(model).wrappers}  # where ComfyUI puts them when it samples
    found = network(x, torch.full((1,), 0.6), context, 32, transformer_options=options)
    assert len(calls) == 2 * 3
    same(found, expected, 1e-5)


def test_our_sampler_and_the_stock_one_draw_the_same(pack, native, models, tiled):
    core, latent = pack.bridge_sampling, start((8, 12))
    found, nfe, *_ = core.sample(
        tiled(models.ours),
        *(native.conditioning(17, 1), native.conditioning(40, 2), latent),
        sigmas=torch.tensor([0.8, 0.4, 0.0]),
        seed=7,
        solver="euler",
        guidance=core.Guidance(cfg=1.0),
    )
    assert nfe == 2 * 2  # steps, tiles
    untiled, *_ = core.sample(
        models.ours,
        *(native.conditioning(17, 1), native.conditioning(40, 2), latent),
        sigmas=torch.tensor([0.8, 0.4, 0.0]),
        seed=7,
        solver="euler",
        guidance=core.Guidance(cfg=1.0),
    )
    assert not torch.equal(found["samples"], untiled["samples"])


def test_a_step_cache_before_or_after_keeps_every_tiles_own_prediction(pack, native, models, tiled):
    cache = importlib.import_module("zimage_pack.nodes.bridge.patches.step_cache")
    core = importlib.import_module("zimage_pack.zimage_core.sampling")
    settings = core.StepCache(threshold=1e-6)
    plain = draw(native, tiled(models.ours), (8, 16), steps=4)
    for model in (
        cache.with_step_cache(tiled(models.ours), settings),
        tiled(cache.with_step_cache(models.ours, settings)),
    ):
        same(draw(native, model, (8, 16), steps=4), plain, 1e-5)


def test_memory_is_that_of_a_tile_while_it_samples_and_as_before_afterwards(native, models, tiled, monkeypatch):
    model, asked = tiled(models.native), []
    original = type(model.model).memory_required

    def spy(self, input_shape, cond_shapes={}):  # noqa: B006
        asked.append(tuple(input_shape[-2:]))
        return original(self, input_shape, cond_shapes=cond_shapes)

    monkeypatch.setattr(type(model.model), "memory_required", spy)
    draw(native, model, (12, 16), steps=1)
    assert set(asked) == {(8, 8)}
    draw(native, models.native, (12, 16), steps=1)
    assert asked[-1] == (12, 16)


def test_two_loras_or_one_are_applied_to_every_tile(native, models, tiled):
    with_lora = native_pictures.lora(models.ours)
    same(
        draw(native, tiled(with_lora), (8, 12), steps=1),
        draw(native, native_pictures.lora(tiled(models.ours)), (8, 12), steps=1),
        1e-6,
    )
    assert not torch.equal(draw(native, tiled(with_lora), (8, 12)), draw(native, tiled(models.ours), (8, 12)))


@pytest.mark.parametrize("order", ["control first", "tiles first"])
def test_hints_of_our_controlnet_are_cut_for_every_tile(native, deep, lite, steer, tiled, order):
    """A tile gets the latent of the control picture's part, as encoded whole."""
    image = picture(2, size=128)
    if order == "control first":
        model = tiled(steer(deep.ours, lite.ours, image=image))
    else:
        model = steer(tiled(deep.ours), lite.ours, image=image)
    (patch,) = model.model_options["transformer_options"]["patches"]["zimage_control"]
    seen, embed = [], lite.ours.model.embed
    lite.ours.model.embed = lambda context: seen.append(context) or embed(context)
    try:
        draw(native, model, (16, 16), steps=1)
    finally:
        lite.ours.model.embed = embed
    assert patch.encoded_image.shape[-2:] == (16, 16)
    assert len(seen) == 9
    same(seen[5].cpu(), patch.encoded_image[..., 4:12, 8:16], 0)


def test_a_stock_controlnet_is_refused_with_a_sentence(native, deep, lite, vae, tiled):
    node = importlib.import_module("comfy_extras.nodes_model_patch").ZImageFunControlnet
    (model,) = node().diffsynth_controlnet(
        model=tiled(deep.native), model_patch=lite.stock, vae=vae, image=picture(2), strength=0.7
    )
    with pytest.raises(ValueError, match="A ControlNet of a stock node cannot be cut into tiles"):
        draw(native, model, (16, 16), steps=1)


def test_wrong_settings_and_models_are_refused(tiled, models):
    with pytest.raises(ValueError, match="The overlap is 64 pixels, but a tile has only 64"):
        tiled(models.ours, 64, 64)
    with pytest.raises(ValueError, match="Tiles are made for Z-Image models, but the model here is SimpleNamespace"):
        tiled(SimpleNamespace(model=SimpleNamespace()))
