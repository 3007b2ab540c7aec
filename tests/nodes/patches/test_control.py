"""Our ControlNet nodes in ComfyUI: ComfyUI's own image under its implementation, and what it has no node for."""

import importlib

import pytest
import torch

from controlled_pictures import PICTURES, RELEASES, draw, picture, same

COMPUTATIONS = ("author", "diffusers", "comfyui")


def stock_node(model, patch, vae, **inputs):
    node = importlib.import_module("comfy_extras.nodes_model_patch").ZImageFunControlnet
    return node().diffsynth_controlnet(model=model, model_patch=patch, vae=vae, **inputs)[0]


@pytest.mark.slow
@pytest.mark.parametrize("pictures", PICTURES.values(), ids=PICTURES)
@pytest.mark.parametrize("release", RELEASES)
def test_under_its_computation_the_picture_is_comfyuis_own(native, deep, patches, vae, steer, release, pictures):
    """On native's layers, and on ours with the published epsilon in their norms."""
    if release == "1.0" and "mask" in pictures:
        pytest.skip("1.0 has no channels for it")
    patch = patches(release)
    expected = draw(native, stock_node(deep.native, patch.stock, vae, strength=0.7, **pictures))
    ours = {"strength": 0.7, "computation": "comfyui", **pictures}
    same(draw(native, steer(deep.attached, patch.stock, **ours)), expected)
    same(draw(native, steer(deep.ours, patch.ours, **ours)), expected)
    assert (expected - draw(native, deep.native)).abs().max() > 0.02


def test_a_control_picture_of_another_size_is_fitted_as_comfyui_fits_it(native, deep, patches, vae, steer):
    patch, inputs = patches("2.1 lite"), {"image": picture(2, size=100)[:, :90], "strength": 0.7}
    expected = draw(native, stock_node(deep.native, patch.stock, vae, **inputs))
    same(draw(native, steer(deep.attached, patch.stock, computation="comfyui", **inputs)), expected)


@pytest.mark.slow
def test_with_guidance_both_prompts_are_steered_as_comfyui_steers_them(native, deep, patches, vae, steer):
    patch, inputs = patches("2.1 lite"), {"image": picture(2), "strength": 0.7}
    expected = draw(native, stock_node(deep.native, patch.stock, vae, **inputs), cfg=3.0, steps=2)
    found = draw(native, steer(deep.attached, patch.stock, computation="comfyui", **inputs), cfg=3.0, steps=2)
    same(found, expected, 5e-4)  # guidance magnifies threefold, twice


@pytest.mark.parametrize("computation", COMPUTATIONS)
def test_prompts_filled_up_to_one_length_are_steered_as_apart(native, deep, lite, steer, computation):
    """A patch of attention puts both prompts into one call, the shorter one behind a mask."""
    steered = steer(deep.ours, lite.ours, image=picture(2), computation=computation)
    looking = steered.clone()
    looking.set_model_attn1_output_patch(lambda out, options: out)
    found, expected = (draw(native, each, cfg=3.0, captions=(97, 12)) for each in (looking, steered))
    same(found, expected, 5e-4)  # guidance magnifies threefold


def test_loras_and_controls_go_together_as_in_comfyui(native, deep, lite, vae, steer):
    import comfy.sd

    generator = torch.Generator().manual_seed(11)
    lora = {
        "diffusion_model.layers.3.attention.qkv.lora_A.weight": torch.randn(4, 256, generator=generator) * 0.2,
        "diffusion_model.layers.3.attention.qkv.lora_B.weight": torch.randn(768, 4, generator=generator) * 0.2,
    }

    def with_lora(model):
        return comfy.sd.load_lora_for_models(model, None, lora, 1.0, 0.0)[0]

    inputs = {"image": picture(2), "strength": 0.7}
    expected = draw(native, stock_node(with_lora(deep.native), lite.stock, vae, **inputs))
    same(draw(native, steer(with_lora(deep.attached), lite.stock, computation="comfyui", **inputs)), expected)
    same(draw(native, with_lora(steer(deep.ours, lite.ours, computation="comfyui", **inputs))), expected)
    without = draw(native, stock_node(deep.native, lite.stock, vae, **inputs))
    assert (without - expected).abs().max() > 1e-3


@pytest.mark.slow
@pytest.mark.parametrize("computation", COMPUTATIONS)
@torch.no_grad()
def test_the_hosted_run_is_the_cores(deep, lite, steer, bridge, computation):
    """Each latent of a batch with its own control picture, for two prompts in one call."""
    network = deep.ours.model.diffusion_model
    steered = steer(deep.ours, lite.ours, image=picture(2, count=2), computation=computation)
    options = {**steered.model_options["transformer_options"], "cond_or_uncond": [0, 1]}
    generator = torch.Generator().manual_seed(5)
    latents, caption = torch.randn(2, 16, 8, 8, generator=generator), torch.randn(2, 17, 64, generator=generator)
    x, context = latents.repeat(2, 1, 1, 1), caption.repeat_interleave(2, 0)
    found = network(x, torch.full((4,), 0.625), context, transformer_options=options)

    core = importlib.import_module("zimage_pack.zimage_core.adapters")
    (patch,) = options["patches"][bridge.run.CONTROL_KEY]
    for item in range(4):
        tokens = lite.ours.model.embed(patch.encoded_image[[item % 2]])
        control = core.Control(network=lite.ours.model, tokens=tokens, strength=0.8, implementation=computation)
        condition = network.prepare([context[item]], (8, 8))
        expected = core.controlled_flow(network, condition, [control])(x[[item]], torch.tensor([0.625]))
        same(found[[item]], expected, 2e-5)


def test_the_three_computations_differ_and_the_authors_is_the_default(native, deep, lite, steer, bridge):
    drawn = {
        name: draw(native, steer(deep.ours, lite.ours, image=picture(2), computation=name)) for name in COMPUTATIONS
    }
    assert all((drawn["author"] - drawn[name]).abs().max() > 0.01 for name in ("diffusers", "comfyui"))
    schema = {each.id: each for each in bridge.nodes.ZImageControl.define_schema().inputs}
    assert (schema["computation"].default, schema["strength"].default) == ("author", 0.8)


IDLE = {"no strength": {"strength": 0.0}, "never": {"start_percent": 0.5, "end_percent": 0.4}}


@pytest.mark.slow
@pytest.mark.parametrize("changes", IDLE.values(), ids=IDLE)
def test_what_does_not_act_is_bit_equal_to_nothing_and_is_not_run(native, deep, lite, steer, calls, changes):
    steered = steer(deep.ours, lite.ours, image=picture(2), **changes)
    assert torch.equal(draw(native, steered, steps=2), draw(native, deep.ours, steps=2))
    assert not calls


def test_a_control_leaves_no_trace_on_the_model_it_was_given(native, deep, lite, steer):
    before = draw(native, deep.ours)
    draw(native, steer(deep.ours, lite.ours, image=picture(2)))
    assert torch.equal(draw(native, deep.ours), before)


@pytest.mark.slow
@pytest.mark.parametrize("percents", [(0.0, 1.0), (0.0, 0.5), (0.3, 1.0), (0.3, 0.6)])
def test_the_network_runs_in_its_part_of_the_run_only(native, deep, lite, steer, calls, percents):
    import comfy.samplers

    sampling = deep.ours.get_model_object("model_sampling")
    sigmas = comfy.samplers.calculate_sigmas(sampling, "simple", 8)[:-1]
    progress = [1 - sigma / (3 - 2 * sigma) for sigma in sigmas.tolist()]  # parts of the run: the shift of 3 undone
    expected = sum(percents[0] <= at <= percents[1] for at in progress)
    start, end = percents
    draw(native, steer(deep.ours, lite.ours, image=picture(2), start_percent=start, end_percent=end), steps=8)
    assert len(calls) == expected


@pytest.mark.slow
def test_two_nodes_in_a_row_add_up(native, deep, lite, steer):
    once = steer(deep.ours, lite.ours, image=picture(2), strength=0.75)
    half = steer(deep.ours, lite.ours, image=picture(2), strength=0.25)
    twice = steer(half, lite.ours, image=picture(2), strength=0.5)
    same(draw(native, twice), draw(native, once))
    assert (draw(native, half) - draw(native, once)).abs().max() > 0.01


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["grey", "RGBA", "float16"])
def test_every_kind_of_control_picture_steers_as_its_colours(native, deep, lite, steer, kind):
    grey = picture(2).half().float()[..., :1]
    colours = grey.repeat(1, 1, 1, 3)
    sent = {"grey": grey, "RGBA": torch.cat((colours, 1 - grey), dim=-1), "float16": colours.half()}[kind]
    mask = torch.ones(64, 64).half()
    steered, expected = (
        steer(deep.ours, lite.ours, image=image, inpaint_image=image, mask=each)
        for image, each in ((sent, mask), (colours, mask[None].float()))
    )
    assert torch.equal(draw(native, steered, steps=1), draw(native, expected, steps=1))
    with pytest.raises(ValueError, match="There is no picture"):
        steer(deep.ours, lite.ours, image=torch.zeros(0, 64, 64, 3))
