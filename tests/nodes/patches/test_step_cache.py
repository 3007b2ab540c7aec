"""Step caching and guidance intervals in ComfyUI: what they skip, what they leave, on our MODEL and on native's."""

import gc
import importlib
import logging
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch

NFE = 24  # 12 steps of 2 prompts


@pytest.fixture(scope="module")
def models(pack, native, tmp_path_factory):
    """Our MODEL, native's, and native's with our forward attached, on the same weights."""
    config = replace(native.CONFIG, n_layers=1, n_refiner_layers=1)
    stock, ours = native.model(config), native.ours(pack, tmp_path_factory.mktemp("speed"), config)
    for model in (stock, ours):
        smooth(model.model.diffusion_model)
    attached = importlib.import_module("zimage_pack.nodes.bridge.network.attach").attach(stock)
    return SimpleNamespace(ours=ours, native=stock, attached=attached)


@torch.no_grad()
def smooth(network):
    """Random weights change their output far more over time than trained ones, and would leave nothing to skip."""
    for name, weight in network.named_parameters():
        if "adaLN" in name:
            weight.mul_(0.1)


@pytest.fixture(scope="module")
def cache(pack):
    """Our node's call."""
    node = importlib.import_module("zimage_pack.nodes.speed").ZImageStepCache
    defaults = {each.id: each.default for each in node.define_schema().inputs[1:]}

    def call(model, **settings):
        return node.execute(model=model, **{**defaults, **settings}).result[0]

    return call


@pytest.fixture(scope="module")
def core_cache(pack):
    """The module of the cache's state, as the pack imports it."""
    return importlib.import_module("zimage_pack.zimage_core.sampling.step_cache")


def draw(pack, native, model, *, steps=12, captions=(17, 40), solver="euler", **guidance):
    """Our sampler: the latent, and the network calls it reports."""
    core = pack.bridge_sampling
    latent, nfe, *_ = core.sample(
        model,
        native.conditioning(captions[0], 1),
        native.conditioning(captions[1], 2),
        {"samples": torch.zeros(1, 16, 8, 8)},
        sigmas=pack.groups[3].shifted_schedule(steps, 6.0),
        seed=7,
        solver=solver,
        guidance=core.Guidance(**{"cfg": 4.0, **guidance}),
    )
    return latent["samples"], nfe


def ksampler(native, model, callback=None):
    """The stock KSampler, with a way to interrupt it."""
    import comfy.sample

    latent = torch.zeros(1, 16, 8, 8)
    noise = comfy.sample.prepare_noise(latent, 7)
    settings = {"sampler_name": "euler", "scheduler": "simple", "latent_image": latent, "disable_pbar": True}
    prompts = {"positive": native.conditioning(17, 1), "negative": native.conditioning(40, 2)}
    return comfy.sample.sample(model, noise, 12, 4.0, **prompts, **settings, callback=callback)


def count_calls(model):
    """Batch sizes of the network's forwards, whichever class it is, and the hook that records them."""
    sizes = []
    hook = model.model.diffusion_model.final_layer.register_forward_pre_hook(lambda _, args: sizes.append(len(args[0])))
    return sizes, hook


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["ours", "attached", "native"])
def test_fewer_network_calls_are_made_and_reported_and_the_image_stays_near(pack, native, models, cache, kind):
    model = getattr(models, kind)
    plain, every = draw(pack, native, model)
    sizes, hook = count_calls(models.ours if kind == "ours" else models.native)
    found, some = draw(pack, native, cache(model, threshold=0.2))
    hook.remove()
    assert every == NFE
    assert some < 0.8 * NFE
    if kind != "attached":  # whose final layer is its own
        assert sum(sizes) == some
    near = (found - plain).abs().mean() / plain.abs().mean()
    assert 0 < near < 0.1


def test_comfyui_skips_what_the_core_skips(pack, native, models, cache, core_cache):
    """The same velocities through the core's own loop."""
    from zimage_core.sampling import Guidance, StepCache, denoise, shifted_schedule

    found, nfe = draw(pack, native, cache(models.ours, threshold=0.1, start_percent=0.2, max_skips=2))
    network = models.ours.model.diffusion_model
    sigmas = shifted_schedule(12, 6.0)

    def velocity(n, seed):
        embeddings = native.conditioning(n, seed)[0][0]
        return network.flow(network.prepare([embeddings[0]], (8, 8)), sigmas.tolist())

    noise = torch.randn(1, 16, 8, 8, generator=torch.manual_seed(7))
    with torch.inference_mode():
        *_, step = denoise(
            velocity(17, 1),
            noise,
            sigmas,
            negative=velocity(40, 2),
            guidance=Guidance(cfg=4.0),
            cache=StepCache(threshold=0.1, start=0.2, max_skips=2),
        )
    assert nfe == step.nfe < NFE
    latents = models.ours.model.process_latent_out(step.x)
    torch.testing.assert_close(found, latents, atol=2e-3, rtol=0)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["ours", "native"])
def test_threshold_zero_is_bit_equal_to_no_node(pack, native, models, cache, kind):
    model = getattr(models, kind)
    (plain, every), (found, same) = draw(pack, native, model), draw(pack, native, cache(model, threshold=0.0))
    assert torch.equal(found, plain) and every == same == NFE


def test_the_model_that_came_in_stays_as_it_was(pack, native, models, cache):
    before, _ = draw(pack, native, models.ours)
    draw(pack, native, cache(models.ours, threshold=0.5))
    after, nfe = draw(pack, native, models.ours)
    assert torch.equal(before, after) and nfe == NFE


def test_every_run_starts_with_an_empty_cache(pack, native, models, cache):
    cached = cache(models.ours, threshold=0.2)
    (first, some), (second, again) = draw(pack, native, cached), draw(pack, native, cached)
    assert torch.equal(first, second) and some == again


def test_a_second_cache_replaces_the_first_and_zero_takes_it_away(pack, native, models, cache):
    careful, bold = cache(models.ours, threshold=0.02), cache(models.ours, threshold=0.5)
    assert draw(pack, native, cache(careful, threshold=0.5))[1] == draw(pack, native, bold)[1]
    assert draw(pack, native, cache(bold, threshold=0.0))[1] == NFE


@pytest.mark.parametrize("captions", [(17, 30), (17, 40)], ids=["one call", "two calls"])
def test_prompts_in_one_call_and_in_two_are_cached_alike(pack, native, models, cache, captions):
    """Native runs prompts of unequal length one by one, ours batches those of one bucket."""
    (ours, some), (theirs, same) = (
        draw(pack, native, cache(model, threshold=0.2), captions=captions) for model in (models.ours, models.native)
    )
    assert some == same < NFE
    torch.testing.assert_close(ours, theirs, atol=1e-2, rtol=0)


@pytest.mark.slow
@pytest.mark.parametrize("solver", ["euler", "res_multistep", "heun"])
def test_every_solver_can_be_cached(pack, native, models, cache, solver):
    plain, every = draw(pack, native, models.ours, solver=solver)
    found, some = draw(pack, native, cache(models.ours, threshold=0.1), solver=solver)
    assert some < every
    assert (found - plain).abs().mean() < 0.1 * plain.abs().mean()


@pytest.mark.slow
def test_a_run_leaves_no_tensor(pack, native, models, cache, core_cache):
    draw(pack, native, cache(models.ours, threshold=0.2))
    assert live_histories(core_cache) == []


@pytest.mark.slow
def test_an_interrupted_run_leaves_no_tensor_even_while_the_error_is_referenced(native, models, cache, core_cache):
    import comfy.model_management

    during = []

    def interrupt(step, *_):
        if step == 6:
            during.append(len(live_histories(core_cache)))
            raise comfy.model_management.InterruptProcessingException

    cached = cache(models.ours, threshold=0.2)
    with pytest.raises(comfy.model_management.InterruptProcessingException) as raised:
        ksampler(native, cached, interrupt)
    assert raised.value.__traceback__ is not None
    assert during[0] >= 2  # one history for each prompt
    assert live_histories(core_cache) == []
    assert "zimage_step_cache" not in cached.model_options["transformer_options"]


def live_histories(core_cache):
    """Histories of prompts that are still referenced anywhere."""
    gc.collect()
    return [each for each in gc.get_objects() if isinstance(each, core_cache.PromptHistory)]


def test_what_was_skipped_is_logged_once(pack, native, models, cache, caplog):
    with caplog.at_level(logging.INFO, "zimage"):
        _, some = draw(pack, native, cache(models.ours, threshold=0.2))
    messages = [record.getMessage() for record in caplog.records if "Step Cache" in record.getMessage()]
    assert messages == [
        f"Z-Image Step Cache: the model ran for {some} of 24 calls and rested for {24 - some} (threshold 0.2)"
    ]


@pytest.mark.slow
def test_perturbed_guidance_keeps_its_own_velocities(native, models, cache):
    """Skip-layer guidance evaluates the positive prompt twice at a latent, once without a layer."""
    skip = importlib.import_module("comfy_extras.nodes_slg").SkipLayerGuidanceDiT
    settings = {"scale": 3.0, "start_percent": 0.0, "end_percent": 1.0, "rescaling_scale": 0.0}

    def perturbed(model):
        return skip.execute(model=model, double_layers="0", single_layers="", **settings).result[0]

    plain = ksampler(native, perturbed(models.ours))
    sizes, hook = count_calls(models.ours)
    found = ksampler(native, perturbed(cache(models.ours, threshold=0.1)))
    hook.remove()
    assert sum(sizes) < 36
    near, effect = (found - plain).abs().mean(), (plain - ksampler(native, models.ours)).abs().mean()
    assert near < 0.5 * effect


def test_another_family_is_refused_with_a_sentence(cache):
    other = SimpleNamespace(model=torch.nn.Identity())
    with pytest.raises(ValueError, match="made for Z-Image models, but the model here is Identity"):
        cache(other)


# --- guidance in an interval ---


@pytest.mark.slow
@pytest.mark.parametrize(("interval", "spared"), [({"start": 0.05}, 7), ({"start": 0.05, "truncation": 0.6}, 9)])
def test_guidance_in_an_interval_spares_the_network_calls_outside_it(pack, native, models, interval, spared):
    """28 steps at shift 6: 7 levels lie before 0.05 of the way, 2 beyond 0.6."""
    sizes, hook = count_calls(models.ours)
    _, nfe = draw(pack, native, models.ours, steps=28, **interval)
    hook.remove()
    assert nfe == sum(sizes) == 56 - spared


@pytest.mark.slow
def test_an_interval_in_comfyui_is_the_cores(pack, native, models):
    """Before guidance starts, the run is that of cfg 1, bit for bit; and it is a run like any other after."""
    never, _ = draw(pack, native, models.ours, start=1.0)
    off, _ = draw(pack, native, models.ours, cfg=1.0)
    always, _ = draw(pack, native, models.ours, start=0.0)
    plain, _ = draw(pack, native, models.ours)
    assert torch.equal(never, off)
    assert torch.equal(always, plain)
    assert not torch.allclose(off, plain, atol=1e-2)


@pytest.mark.slow
def test_a_cache_and_an_interval_work_together(pack, native, models, cache):
    alone, some = draw(pack, native, models.ours, steps=28, start=0.05, truncation=0.6)
    found, fewer = draw(pack, native, cache(models.ours, threshold=0.1), steps=28, start=0.05, truncation=0.6)
    assert fewer < some == 47
    assert (found - alone).abs().mean() < 0.1 * alone.abs().mean()


def test_the_samplers_new_widget_reaches_guidance(pack, native, models):
    node = pack.groups[3].ZImageSampler
    inputs = {each.id: each.default for each in node.define_schema().inputs if hasattr(each, "default")}
    sockets = {
        "model": models.ours,
        "positive": native.conditioning(17, 1),
        "negative": native.conditioning(40, 2),
        "latent": {"samples": torch.zeros(1, 16, 8, 8)},
    }
    latent, nfe = node.execute(**{**inputs, **sockets, "cfg_start": 0.05}).result
    assert nfe == 49
    with pytest.raises(ValueError, match="never act"):
        node.execute(**{**inputs, **sockets, "cfg_start": 0.6, "cfg_truncation": 0.4})
    assert "cfg_start" not in list(inputs)[: list(inputs).index("cfg_truncation")] and inputs["cfg_start"] == 0.0
