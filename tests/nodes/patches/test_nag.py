"""Z-Image NAG in ComfyUI: the stock NAGuidance node's picture, from half of its work, with every sampler."""

import importlib
from functools import partial

import pytest
import torch

from native_pictures import draw, extra, lora, same, stock_node

SETTINGS = {"scale": 4.0, "tau": 2.0, "alpha": 0.5, "start_percent": 0.0, "end_percent": 1.0}


@pytest.fixture(scope="module")
def models(pack, native, tmp_path_factory):
    """Our MODEL, native's, and native's with our forward attached, on the same weights."""
    stock = native.model()
    attached = importlib.import_module("zimage_pack.nodes.bridge.network.attach").attach(stock)
    ours = native.ours(pack, tmp_path_factory.mktemp("nag"))
    return {"ours": ours, "native": stock, "attached": attached}


@pytest.fixture(scope="module")
def nag(pack):
    """Our node's call."""
    node = importlib.import_module("zimage_pack.nodes.nag").ZImageNAG

    def call(model, negative, **settings):
        return node.execute(model=model, negative=negative, **{**SETTINGS, **settings}).result[0]

    return call


@pytest.fixture(scope="module")
def sampler(pack, native):
    """Our samplers: the base one with a negative prompt, or Turbo's without."""

    def call(model, *, captions=(17, 30), cfg=1.0, size=(8, 8), steps=3, shift=3.0, words=1, turbo=False):
        inputs = {"model": model, "positive": native.conditioning(captions[0], words), "steps": steps, "seed": 7}
        inputs |= {"latent": {"samples": torch.zeros(1, 16, *size)}, "solver": "euler", "shift": shift, "strength": 1.0}
        if turbo:
            return pack.groups[3].ZImageTurboSampler.execute(**inputs).result
        inputs |= {"negative": native.conditioning(captions[1], 2), "cfg": cfg}
        return pack.groups[3].ZImageSampler.execute(**inputs, cfg_normalization=0.0, cfg_truncation=1.0).result

    return call


def stock_nag(model):
    node = extra("nodes_nag", "NAGuidance")
    return node(model=model, nag_scale=SETTINGS["scale"], nag_alpha=SETTINGS["alpha"], nag_tau=SETTINGS["tau"])[0]


@pytest.mark.parametrize("kind", ["ours", "attached"])
@pytest.mark.parametrize(("captions", "size"), [((17, 30), (6, 10)), ((97, 12), (16, 8)), ((12, 97), (16, 8))])
def test_it_draws_the_stock_nodes_picture_beside_prompts_of_any_two_lengths(
    native, models, nag, sampler, kind, captions, size
):
    """Sizes of a multiple of 32 patches where lengths differ: pads have a place that does not follow the prompt."""
    model = models[kind]
    expected = sampler(stock_nag(model), captions=captions, size=size)[0]["samples"]
    plain = sampler(model, captions=captions, size=size)[0]["samples"]
    guided = nag(model, native.conditioning(captions[1], 2))
    same(sampler(guided, captions=captions, size=size)[0]["samples"], expected, 2e-4)
    assert (expected - plain).abs().max() > 0.1


def custom(native, model, captions=(17, 30)):
    """ComfyUI's SamplerCustomAdvanced with a guider that takes the prompt alone."""
    sigmas = stock_node("comfy_extras.nodes_custom_sampler", "BasicScheduler")(
        model=model, scheduler="simple", steps=3, denoise=1.0
    )[0]
    make = partial(stock_node, "comfy_extras.nodes_custom_sampler")
    guider = make("BasicGuider")(model=model, conditioning=native.conditioning(captions[0], 1))[0]
    return make("SamplerCustomAdvanced")(
        noise=make("RandomNoise")(noise_seed=7)[0],
        guider=guider,
        sampler=make("KSamplerSelect")(sampler_name="euler")[0],
        sigmas=sigmas,
        latent_image={"samples": torch.zeros(1, 16, 8, 8)},
    )[0]["samples"]


SAMPLERS = ("turbo", "KSampler", "SamplerCustomAdvanced")


@pytest.mark.parametrize("name", SAMPLERS)
def test_every_sampler_draws_it_on_every_model(native, models, nag, sampler, name):
    """Of a stock MODEL ours is attached. Two of the three samplers have no negative prompt of their own."""

    def drawn(model):
        match name:
            case "turbo":
                return sampler(model, turbo=True)[0]["samples"]
            case "KSampler":
                return draw(native, model, steps=3, captions=(17, 17))
            case _:
                return custom(native, model)

    pictures = {kind: drawn(nag(model, native.conditioning(30, 2))) for kind, model in models.items()}
    same(pictures["attached"], pictures["native"], 0)
    same(pictures["attached"], pictures["ours"], 2e-3)
    assert (pictures["ours"] - drawn(models["ours"])).abs().max() > 0.1


def test_beside_cfg_only_the_prompt_is_guided_in_one_call_or_in_two(native, models, nag, sampler):
    """The truth: both predictions apart, of the same step."""
    guided = nag(models["ours"], native.conditioning(50, 3))
    for captions in ((17, 30), (17, 40)):  # one call, two calls
        unconditional = sampler(models["ours"], captions=(captions[1], 9), words=2, steps=1)[0]["samples"]
        conditional = sampler(guided, captions=captions, steps=1)[0]["samples"]
        found = sampler(guided, captions=captions, steps=1, cfg=3.0)[0]["samples"]
        same(found, torch.lerp(unconditional, conditional, 3.0), 5e-4)


def test_pictures_of_a_batch_are_guided_as_alone(native, models, nag, sampler, pack):
    guided = nag(models["ours"], native.conditioning(50, 3))
    node = pack.groups[3].ZImageTurboSampler
    inputs = {"model": guided, "positive": native.conditioning(17, 1), "steps": 2, "solver": "euler", "shift": 3.0}
    inputs |= {"strength": 1.0, "seed_per_picture": True}
    batch = node.execute(**inputs, seed=7, latent={"samples": torch.zeros(2, 16, 8, 8)}).result[0]["samples"]
    for index in range(2):
        alone = node.execute(**inputs, seed=7 + index, latent={"samples": torch.zeros(1, 16, 8, 8)}).result[0][
            "samples"
        ]
        same(batch[[index]], alone, 1e-4)


NEUTRAL = {
    "scale 1": {"scale": 1.0},
    "alpha 0": {"alpha": 0.0},
    "an empty range": {"start_percent": 0.3, "end_percent": 0.3},
    "a range between two steps": {"start_percent": 0.7, "end_percent": 0.9},
}


@pytest.mark.parametrize("settings", NEUTRAL.values(), ids=NEUTRAL)
def test_what_does_not_act_is_bit_equal_to_nothing(native, models, nag, sampler, settings):
    negative = native.conditioning(50, 3)
    found = sampler(nag(nag(models["ours"], negative), negative, **settings), turbo=True)
    expected = sampler(models["ours"], turbo=True)
    assert torch.equal(found[0]["samples"], expected[0]["samples"]) and found[1] == expected[1] == 3


def test_on_a_stock_model_a_neutral_node_leaves_comfyuis_own_code(native, models, nag, sampler):
    neutral = nag(models["native"], native.conditioning(50, 3), scale=1.0)
    pictures = [sampler(model, turbo=True)[0]["samples"] for model in (neutral, models["native"])]
    assert torch.equal(*pictures)


@pytest.mark.parametrize("shift", [1.0, 3.0, 6.0])
def test_percents_are_parts_of_this_runs_schedule(comfy, native, models, nag, sampler, shift):
    """Of 10 even steps those that begin in [0.2, 0.5) of the run act, whatever our sampler's shift and the MODEL's."""
    lengths = []
    guided = nag(models["ours"], native.conditioning(50, 3), start_percent=0.2, end_percent=0.5)
    network = models["ours"].model.diffusion_model
    hook = network.layers[0].attention.qkv.register_forward_hook(
        lambda _, inputs, __: lengths.append(inputs[0].shape[1])
    )
    sampler(guided, turbo=True, steps=10, shift=shift)
    hook.remove()
    assert lengths == [64 + 64 * (2 <= index < 5) for index in range(10)]


def test_it_goes_with_loras_and_with_stock_patches_around_it(native, models, nag, sampler):
    """A patch that looks sees the sequence it knows; a LoRA acts on the negative prompt as in the stock node."""
    seen = []

    def look(out, options):
        seen.append((out.shape[1], tuple(options["img_slice"])))
        return out

    model = lora(models["ours"])
    expected = sampler(stock_nag(model), captions=(17, 30))[0]["samples"]
    guided = nag(model, native.conditioning(30, 2))
    guided.set_model_attn1_output_patch(look)
    same(sampler(guided)[0]["samples"], expected, 2e-4)
    assert set(seen) == {(64, (32, 64))}


def test_a_second_node_replaces_the_first_and_the_input_stays(native, models, nag, sampler):
    before = sampler(models["ours"], turbo=True)[0]["samples"]
    first = nag(models["ours"], native.conditioning(50, 3), scale=9.0)
    second = nag(first, native.conditioning(30, 2))
    once = nag(models["ours"], native.conditioning(30, 2))
    assert torch.equal(*(sampler(each, turbo=True)[0]["samples"] for each in (second, once)))
    assert torch.equal(sampler(models["ours"], turbo=True)[0]["samples"], before)


def words(n, width=64, value=None):
    caption = torch.randn(1, n, width) if value is None else torch.full((1, n, width), value)
    return [[caption, {}]]


WRONG = {
    "nothing": ([], {}, "needs one negative prompt, but its negative input holds 0"),
    "two prompts": (words(5) + words(6), {}, "holds 2"),
    "NaN": (words(5, value=float("nan")), {}, "The negative prompt of Z-Image NAG holds values that are no numbers"),
    "another encoder": (words(5, width=48), {}, "is 48 wide, but this model reads 64"),
    "start after end": (words(5), {"start_percent": 0.6, "end_percent": 0.5}, "start at 0.6 of the run and end at 0.5"),
}


@pytest.mark.parametrize(("negative", "settings", "sentence"), WRONG.values(), ids=WRONG)
def test_what_cannot_be_drawn_away_from_is_answered_at_the_node(models, nag, negative, settings, sentence):
    with pytest.raises(ValueError, match=sentence):
        nag(models["ours"], negative, **settings)


def test_a_model_of_another_family_is_answered(models, nag):
    import comfy.model_base

    other = models["native"].clone()
    other.model = object.__new__(comfy.model_base.Flux)
    with pytest.raises(ValueError, match="made for Z-Image models, but the model here is Flux"):
        nag(other, words(5))
