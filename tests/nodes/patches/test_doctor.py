"""Z-Image Doctor on ComfyUI's MODEL, an attached one, ours and a quantized one: silent and bit-equal where nothing is
wrong; where a fault is planted it names layer and cause, or draws what the MODEL draws without the fault."""

import importlib
from types import SimpleNamespace

import pytest
import torch

import native_pictures

NAN = float("nan")
KINDS = ["native", "attached", "ours", "int8"]


@pytest.fixture(scope="module")
def models(pack, native, tmp_path_factory):
    stock = native.model()
    ours = native.ours(pack, tmp_path_factory.mktemp("doctor"))
    return SimpleNamespace(native=stock, attached=pack.bridge_attach.attach(stock), ours=ours)


@pytest.fixture
def given(pack, models, request):
    """A MODEL of the kind; the quantized one is loaded in inference mode, as the executor does."""
    if request.param == "int8":
        return pack.bridge_model.load_model(models.ours.cached_patcher_init[1][0], None, True)
    return getattr(models, request.param)


@pytest.fixture(scope="module")
def doctor(pack):
    return importlib.import_module("zimage_pack.nodes.bridge.patches.doctor")


def watched(doctor, model, choice=None, release=""):
    said = []
    return doctor.with_doctor(model, choice or doctor.REPEAT, release, said.append), said


def with_attention(model, run):
    clone = model.clone()
    clone.model_options.setdefault("transformer_options", {})["optimized_attention_override"] = run
    return clone


def nan_attention(stock, *args, **kwargs):
    return stock(*args, **kwargs) * NAN


@pytest.mark.parametrize("given", KINDS, indirect=True)
def test_a_good_run_is_bit_equal_and_nothing_is_said(doctor, native, given):
    model, said = watched(doctor, given)
    expected = native_pictures.draw(native, given, steps=2, cfg=2.0)
    assert torch.equal(native_pictures.draw(native, model, steps=2, cfg=2.0), expected)
    assert not any("NaN" in each for each in said) and len(said) == 1


@pytest.mark.parametrize("given", KINDS, indirect=True)
def test_steps_broken_by_an_attention_are_repeated_as_without_it(doctor, native, given):
    model, said = watched(doctor, with_attention(given, nan_attention))
    found = native_pictures.draw(native, model, steps=2, cfg=2.0)
    expected = native_pictures.draw(native, given, steps=2, cfg=2.0)
    assert (found - expected).norm() < 0.05 * expected.norm()  # as far as one kernel's rounding is from another's
    assert said[0].startswith("Repeated safely, of 2 steps: 1, 2. The first came out as NaN in ")
    assert ".attention.out (attention): the attention here (of test_doctor) gives NaN" in said[0]


def test_it_stops_where_it_shall_and_in_our_sampler_too(pack, doctor, native, models):
    model, _ = watched(doctor, with_attention(models.attached, nan_attention), doctor.STOP)
    expected = r"^Step 1 of 2 came out as NaN in \S+ \(attention\): the attention here"
    with pytest.raises(ValueError, match=expected):
        native_pictures.draw(native, model, steps=2)
    with pytest.raises(ValueError, match=expected):
        pack.groups[3].ZImageTurboSampler.execute(
            model, native.conditioning(17, 1), {"samples": torch.zeros(1, 16, 8, 8)}, 3, 2, "euler", 3.0, 1.0
        )


@pytest.mark.parametrize("kind", ["native", "attached", "ours"])
def test_overflow_in_float16_is_repeated_in_float32_with_the_layer_and_the_number(doctor, native, models, kind):
    given = getattr(models, kind).clone()
    given.set_model_compute_dtype(torch.float16)
    layer = given.model.diffusion_model.final_layer.linear
    handle = layer.register_forward_hook(lambda _, __, out: (out * 1e6) * 1e-6)
    try:
        model, said = watched(doctor, given)
        found = native_pictures.draw(native, model, steps=2)
    finally:
        handle.remove()
    assert "in final_layer.linear (linear layer): its numbers reach" in said[0]
    assert "and float16 holds no more than 6.55e+04" in said[0]
    native_pictures.same(found, native_pictures.draw(native, getattr(models, kind), steps=2), 1e-2)


def test_a_cache_that_holds_nan_is_emptied_and_the_run_goes_on(pack, doctor, native, models):
    step_cache = importlib.import_module("zimage_pack.nodes.bridge.patches.step_cache")
    clone, calls = models.ours.clone(), []

    def once(apply_model, call):
        calls.append(1)
        return apply_model(call["input"], call["timestep"], **call["c"]) * (NAN if len(calls) == 2 else 1)

    clone.set_model_unet_function_wrapper(once)
    cached = step_cache.with_step_cache(clone, step_cache.StepCache(threshold=0.01))
    model, said = watched(doctor, cached)
    assert native_pictures.draw(native, model, steps=4).isfinite().all()
    assert "of 4 steps: 2. " in said[0] and "run again as it was, the step is right" in said[0]


def test_strong_loras_and_settings_of_another_release_are_said(doctor, native, models):
    clone = models.ours.clone()
    weight = clone.model.diffusion_model.layers[0].attention.qkv.weight
    clone.add_patches({"diffusion_model.layers.0.attention.qkv.weight": ("diff", (weight.detach() * 3,))}, 1.0)
    model, said = watched(doctor, clone, release="Turbo (8 steps, CFG 1); its name says so")
    native_pictures.draw(native, model, steps=30, cfg=1.0)
    assert "change the weights by 300 %" in said[0] and "This is Turbo" in said[0] and "ran 30 steps" in said[0]


def test_another_models_network_is_refused(doctor, models):
    other = SimpleNamespace(model=torch.nn.Linear(1, 1))
    with pytest.raises(ValueError, match=r"^Z-Image Doctor is made for Z-Image models, but the model here is Linear"):
        doctor.with_doctor(other, doctor.STOP, "", print)


def test_our_samplers_tell_of_a_burnt_result_and_a_foreign_start_by_themselves(pack, native, models, caplog):
    facts = importlib.import_module("zimage_pack.nodes.bridge.patches.run_facts")
    sampling, guidance = pack.bridge_sampling, pack.groups[3].Guidance(cfg=1.0)
    start = torch.randn(1, 16, 8, 8, generator=torch.Generator().manual_seed(1))

    def note(latent, strength, gain):
        clone = models.ours.clone()
        clone.set_model_sampler_post_cfg_function(lambda args: args["denoised"] * gain)
        return sampling.sample(
            clone, native.conditioning(17, 1), native.conditioning(17, 1), {"samples": latent}, seed=1, solver="euler",
            sigmas=pack.groups[3].shifted_schedule(4, 3.0, strength), guidance=guidance,
        ).note  # fmt: skip

    assert "The result is burnt" in note(torch.zeros(1, 16, 8, 8), 1.0, 50.0)
    assert "The latent to start from is of another strength" in note(start / 1.53, 0.5, 1.0)
    assert facts.shift_of(pack.groups[3].shifted_schedule(9, 3.0).tolist()) == pytest.approx(3.0, rel=1e-4)
