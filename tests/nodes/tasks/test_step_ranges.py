"""Samplers in a row, each with its part of the steps: together they are one sampler, and ComfyUI's own nodes' picture.

The latent is handed over as ComfyUI keeps it, divided by 1 - sigma and unscaled, which rounds it once more.
"""

from types import SimpleNamespace

import pytest
import torch

from native_pictures import same, stock_node

STEPS, SPLIT, ROUNDING = 10, 4, 5e-5


@pytest.fixture(scope="module")
def models(pack, native, tmp_path_factory):
    """Our MODEL and native's on the same weights, and both again on others, as Base and Turbo are."""
    from safetensors.torch import save_file

    folder = tmp_path_factory.mktemp("models")
    weights = {key: each.flip(0) if each.ndim > 1 else each for key, each in native.weights().items()}
    save_file({key: each.contiguous() for key, each in weights.items()}, folder / "turbo.safetensors")
    turbo, stock_turbo = pack.bridge_model.load_model(str(folder / "turbo.safetensors")), native.model()
    stock_turbo.model.load_model_weights(dict(weights), "")
    return SimpleNamespace(
        ours=native.ours(pack, folder), native=native.model(), our_turbo=turbo, native_turbo=stock_turbo
    )


@pytest.fixture(scope="module")
def sample(pack, native):
    """Our base sampler's node."""
    defaults = {"cfg_normalization": 0.0, "cfg_truncation": 1.0, "strength": 1.0, "shift": 3.0, "steps": STEPS}

    def call(model, latent=None, *, solver="euler", cfg=3.0, **changes):
        out = pack.groups[3].ZImageSampler.execute(
            model=model,
            positive=native.conditioning(17, 1),
            negative=native.conditioning(9, 2),
            latent=latent or {"samples": torch.zeros(2, 16, 4, 6)},
            **{"seed": 7, **defaults, "solver": solver, "cfg": cfg, **changes},
        )
        return out.result

    return call


def advanced(native, model, latent=None, *, add_noise=True, solver="euler", **changes):
    """The stock KSampler (Advanced), whose simple schedule has the levels of ours in 10 steps."""
    words = {False: "disable", True: "enable"}
    leftover = changes.pop("return_with_leftover_noise", False)
    (out,) = stock_node("nodes", "KSamplerAdvanced")(
        model=model,
        add_noise=words[add_noise],
        noise_seed=7,
        steps=STEPS,
        cfg=3.0,
        sampler_name=solver,
        scheduler="simple",
        positive=native.conditioning(17, 1),
        negative=native.conditioning(9, 2),
        latent_image=latent or {"samples": torch.zeros(2, 16, 4, 6)},
        return_with_leftover_noise=words[leftover],
        **{"start_at_step": 0, "end_at_step": 10000, **changes},
    )
    return out


FIRST = {"end_at_step": SPLIT, "return_with_leftover_noise": True}
SECOND = {"start_at_step": SPLIT, "add_noise": False}


@pytest.mark.parametrize("solver", ["euler", "heun"])
@pytest.mark.parametrize("strength", [1.0, 0.8])
def test_two_samplers_in_a_row_are_one(models, sample, solver, strength):
    """Solvers without a memory; res_multistep begins anew."""
    given = {"samples": torch.randn(2, 16, 4, 6, generator=torch.Generator().manual_seed(2))}
    settings = {"solver": solver, "strength": strength}
    expected, whole = sample(models.ours, given, **settings)
    half, first = sample(models.ours, given, **settings, **FIRST)
    found, second = sample(models.ours, half, **settings, **SECOND)
    same(found["samples"], expected["samples"], ROUNDING)
    assert first + second == whole
    assert (half["samples"] - expected["samples"]).abs().max() > 0.1


def test_the_neutral_values_are_bit_equal_to_their_absence(pack, models, sample):
    neutral = {each.id: each.default for each in pack.groups[3].ZImageSampler.define_schema().inputs[-5:]}
    assert neutral == {
        **{"add_noise": True, "start_at_step": 0},
        **{"end_at_step": 10000, "return_with_leftover_noise": False, "seed_per_picture": False},
    }
    for strength in (1.0, 0.5):
        (expected, n), (found, m) = (
            sample(models.ours, strength=strength, solver="res_multistep", **each) for each in ({}, neutral)
        )
        assert torch.equal(found["samples"], expected["samples"]) and n == m


RANGES = {
    "first part": FIRST,
    "first part, finished": {"end_at_step": SPLIT},
    "middle with its own noise": {"start_at_step": 3, "end_at_step": 7, "return_with_leftover_noise": True},
    "last part of a latent": SECOND,
    "beyond the end": {"start_at_step": 12},
    "nothing": {"end_at_step": 0, "return_with_leftover_noise": True},
    "backwards": {"start_at_step": 6, "end_at_step": 5},
}


@pytest.mark.parametrize("solver", ["euler", "res_multistep"])
@pytest.mark.parametrize("taken", RANGES.values(), ids=RANGES)
def test_every_range_is_the_stock_samplers(native, models, sample, taken, solver):
    given = {"samples": torch.randn(2, 16, 4, 6, generator=torch.Generator().manual_seed(2))}
    expected = advanced(native, models.native, given, solver=solver, **taken)
    same(sample(models.ours, given, solver=solver, **taken)[0]["samples"], expected["samples"])


def test_turbo_goes_on_where_base_ended_as_with_the_stock_sampler(native, models, sample):
    expected = advanced(native, models.native_turbo, advanced(native, models.native, **FIRST), **SECOND)
    found, _ = sample(models.our_turbo, sample(models.ours, **FIRST)[0], **SECOND)
    same(found["samples"], expected["samples"], 2e-3)
    assert (found["samples"] - sample(models.ours)[0]["samples"]).abs().max() > 0.1


def test_the_turbo_sampler_has_the_same_range(pack, native, models, sample):
    def turbo(latent, **taken):
        settings = {"steps": STEPS, "seed": 7, "solver": "euler", "shift": 3.0, "strength": 1.0}
        positive = native.conditioning(17, 1)
        node = pack.groups[3].ZImageTurboSampler
        return node.execute(model=models.ours, positive=positive, latent=latent, **settings, **taken).result

    half, first = turbo({"samples": torch.zeros(2, 16, 4, 6)}, **FIRST)
    found, second = turbo(half, **SECOND)
    same(found["samples"], sample(models.ours, cfg=1.0)[0]["samples"], ROUNDING)
    assert (first, second) == (SPLIT, STEPS - SPLIT)


@pytest.mark.parametrize("taken", RANGES.values(), ids=RANGES)
@pytest.mark.parametrize(("solver", "strength", "start"), [("euler", 0.5, 0.0), ("heun", 1.0, 0.2)])
def test_what_the_page_announces_is_what_runs(pack, models, sample, taken, solver, strength, start):
    widgets = {"solver": solver, "strength": strength, "cfg": 2.0, "cfg_start": start, **taken}
    _, made = sample(models.ours, **widgets)
    assert pack.bridge_sampling.planned_nfe({"steps": STEPS, "shift": 3.0, **widgets}) == made


def test_progress_counts_the_steps_of_the_range(comfy, models, sample):
    import comfy.utils

    seen = []
    comfy.utils.set_progress_bar_global_hook(lambda value, total, *_, **__: seen.append((value, total)))
    try:
        sample(models.ours, start_at_step=3, end_at_step=7)
    finally:
        comfy.utils.set_progress_bar_global_hook(None)
    assert seen[0] == (1, 4) and seen[-1] == (4, 4)  # ComfyUI drops what follows too quickly


@pytest.mark.parametrize(
    "ranges",
    [
        {"start_at_step": 3, "end_at_step": 3},
        {"end_at_step": 0},
        {"start_at_step": 11},
        {"strength": 0.5, "end_at_step": 4},
    ],
)
def test_a_range_without_steps_returns_the_latent_and_says_so(pack, native, models, ranges):
    latent = {"samples": torch.randn(1, 16, 4, 6)}
    sampler = pack.groups[3].ZImageTurboSampler
    settings = {"seed": 7, "steps": STEPS, "solver": "euler", "shift": 3.0, "strength": 1.0, **ranges}
    drawn = sampler.execute(model=models.ours, positive=native.conditioning(17, 1), latent=latent, **settings)
    assert torch.equal(drawn.result[0]["samples"], latent["samples"])
    assert "No step ran" in drawn.ui["text"][0]


@pytest.mark.parametrize("half", [{"end_at_step": 4, "return_with_leftover_noise": True}, {"add_noise": False}])
def test_a_masked_run_is_not_shared_by_two_samplers(sample, models, half):
    """What lies outside the mask would be the first sampler's noise; ComfyUI's own nodes draw just that."""
    latent = {"samples": torch.zeros(1, 16, 4, 6), "noise_mask": torch.ones(1, 1, 32, 48)}
    with pytest.raises(ValueError, match="masked run cannot be shared"):
        sample(models.ours, latent, **half)
