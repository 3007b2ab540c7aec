"""Patches that ComfyUI's native model ignores and ours honours, and native models with our forward attached."""

import importlib

import pytest
import torch

from native_pictures import draw, extra, lora, same
from paths import REPOSITORY


def nag(model):
    return extra("nodes_nag", "NAGuidance")(model=model, nag_scale=5.0, nag_alpha=0.5, nag_tau=1.5)[0]


def skip_layers(model):
    node = extra("nodes_slg", "SkipLayerGuidanceDiT")
    return node(
        model=model,
        scale=3.0,
        start_percent=0.0,
        end_percent=1.0,
        double_layers="1",
        single_layers="",
        rescaling_scale=0.0,
    )[0]


def perturbed_attention(model):
    """Attention that only looks at itself, as PAG's perturbed branch does."""
    patched = model.clone()
    patched.set_model_attn1_patch(lambda q, k, v, pe, attn_mask, extra_options: {"q": torch.zeros_like(q)})
    return patched


IGNORED = {"NAGuidance": nag, "SkipLayerGuidanceDiT": skip_layers, "attn1_patch": perturbed_attention}


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["ours", "attached"])
@pytest.mark.parametrize("change", IGNORED.values(), ids=IGNORED)
def test_what_native_ignores_works(native, models, change, kind):
    captions = (17, 17)  # of one length, so that native too could batch them
    native_plain = draw(native, models.native, captions=captions)
    native_patched = draw(native, change(models.native), captions=captions)
    assert (native_patched - native_plain).abs().max() < 0.02, "native honours it by now: say so in the docs"
    model = getattr(models, kind)
    change_in_ours = draw(native, change(model), captions=captions) - draw(native, model, captions=captions)
    assert change_in_ours.abs().max() > 0.1


UNET = {  # stock nodes for the blocks of Stable Diffusion's UNet
    "PerturbedAttentionGuidance": ("nodes_pag", {"scale": 3.0}),
    "HyperTile": ("nodes_hypertile", {"tile_size": 256, "swap_size": 2, "max_depth": 0, "scale_depth": False}),
}


@pytest.mark.parametrize("kind", ["ours", "attached"])
@pytest.mark.parametrize("name", UNET)
def test_what_is_made_for_a_unet_changes_nothing_as_on_native_and_the_help_says_so(native, models, name, kind):
    module, settings = UNET[name]
    for model in (getattr(models, kind), models.native):
        (patched,) = extra(module, name)(model=model, **settings)
        same(draw(native, patched, cfg=2.0), draw(native, model, cfg=2.0), 1e-4)
    for language, heading in (("en", "## Good to know"), ("zh", "## 须知")):
        page = (REPOSITORY / f"js/docs/ZImageAttach/{language}.md").read_text("utf-8")
        gives, cannot_give = page.partition(heading)[2].split("- **")[1:3]
        assert name not in gives and name in cannot_give


@pytest.mark.parametrize("kind", ["ours", "attached"])
def test_guided_attention_needs_prompts_of_one_bucket_not_of_one_length(native, models, kind):
    model = getattr(models, kind)
    plain = draw(native, model, captions=(17, 30))
    assert (draw(native, nag(model), captions=(17, 30)) - plain).abs().max() > 0.1


@pytest.mark.parametrize("kind", ["ours", "attached"])
@pytest.mark.parametrize("captions", [(97, 12), (12, 97), (40, 1)])
def test_guided_attention_acts_on_prompts_of_any_two_lengths_in_one_call(native, models, kind, captions):
    model, seen = getattr(models, kind), []

    def compared(out, options):
        seen.append((len(out), *options["cond_or_uncond"]))
        return out

    looked_at = nag(model)
    looked_at.set_model_attn1_output_patch(compared)
    guided = draw(native, looked_at, captions=captions, steps=2, cfg=4.0)
    assert set(seen) == {(2, 1, 0)} or set(seen) == {(2, 0, 1)}
    assert (guided - draw(native, model, captions=captions, steps=2, cfg=4.0)).abs().max() > 0.1


@pytest.mark.parametrize("captions", [(97, 12), (12, 97), (40, 1)])
def test_prompts_filled_up_to_one_length_draw_natives_picture(native, models, captions):
    """A patch that looks and changes nothing puts them in one call; native runs them one after the other."""
    looking = models.ours.clone()
    looking.set_model_attn1_output_patch(lambda out, options: out)
    latent = {"samples": torch.zeros(2, 16, 6, 10)}
    found = draw(native, looking, captions=captions, steps=3, cfg=3.0, latent=latent)
    same(found, draw(native, models.native, captions=captions, steps=3, cfg=3.0, latent=latent))


def test_a_guided_picture_does_not_depend_on_how_far_a_prompt_is_filled_up(native, models):
    """The truth of both in one call: the same words, with a third prompt that makes the call longer."""
    network = models.ours.model.diffusion_model
    generator = torch.Generator().manual_seed(4)
    x, sigma = torch.randn(1, 16, 8, 8, generator=generator).repeat(3, 1, 1, 1), torch.full((3,), 0.6)
    captions = [torch.randn(n, 64, generator=generator) for n in (30, 9, 100)]

    def run(items):
        context = torch.nn.utils.rnn.pad_sequence([captions[item] for item in items], batch_first=True)
        patches = {"patches": {"attn1_output_patch": [louder]}, "cond_or_uncond": list(range(len(items)))}
        lengths = [len(captions[item]) for item in items]
        n = len(items)
        return network(x[:n], sigma[:n], context, transformer_options=patches, caption_lengths=lengths)

    def louder(out, options):
        """The first item's picture is moved by the second's, as guidance inside attention does."""
        start = options["img_slice"][0]
        out = out.clone()
        out[0, start:] += 0.5 * (out[0, start:] - out[1, start:])
        return out

    same(run([0, 1, 2])[:2], run([0, 1]), 1e-5)


def test_a_sampler_without_a_negative_prompt_says_that_guided_attention_is_idle(pack, native, models, caplog):
    def turbo(model):
        settings = {"steps": 1, "seed": 7, "solver": "euler", "shift": 3.0, "strength": 1.0}
        latent = {"samples": torch.zeros(1, 16, 4, 4)}
        node = pack.groups[3].ZImageTurboSampler
        return node.execute(model=model, positive=native.conditioning(17, 1), latent=latent, **settings)

    turbo(models.ours)
    assert "NAGuidance" not in caplog.text
    turbo(nag(models.ours))
    assert caplog.text.count("use Z-Image NAG, which has a negative prompt of its own") == 1


def test_skipping_all_layers_is_skipping_them_in_the_network(native, models):
    """The replacement's identity must be the network without that layer."""
    patched = models.ours.clone()
    patched.set_model_patch_replace(lambda args, extra: args, "dit", "double_block", 0)
    patched.set_model_patch_replace(lambda args, extra: args, "dit", "double_block", 1)
    network = models.ours.model.diffusion_model
    layers, network.layers = network.layers, type(network.layers)()
    try:
        expected = draw(native, models.ours)
    finally:
        network.layers = layers
    same(draw(native, patched), expected, 1e-6)


def test_a_replacement_that_calls_the_original_changes_nothing(native, models):
    patched = models.ours.clone()
    patched.set_model_patch_replace(lambda args, extra: extra["original_block"](args), "dit", "double_block", 1)
    assert torch.equal(draw(native, patched), draw(native, models.ours))


def test_attention_patches_see_the_joint_sequence_and_where_the_picture_lies(native, models):
    seen = []

    def look(out, options):
        seen.append((tuple(out.shape), options["img_slice"], options["block_index"]))
        return out

    patched = models.ours.clone()
    patched.set_model_attn1_output_patch(look)
    assert torch.equal(draw(native, patched, steps=1), draw(native, models.ours, steps=1))
    assert seen == [((1, 64, 256), [32, 64], 0), ((1, 64, 256), [32, 64], 1)]


def test_post_input_patches_change_tokens_but_not_their_number(native, models):
    def louder(args):
        return {**args, "txt": args["txt"] * 2, "img": args["img"] * 1.5}

    patched = models.ours.clone()
    patched.set_model_post_input_patch(louder)
    assert (draw(native, patched) - draw(native, models.ours)).abs().max() > 0.05
    patched = models.ours.clone()
    patched.set_model_post_input_patch(lambda args: {**args, "img": args["img"].repeat(1, 2, 1)})
    with pytest.raises(ValueError, match="made for another model"):
        draw(native, patched)


@pytest.mark.parametrize(("captions", "calls"), [((17, 30), 1), ((17, 17), 1), ((17, 40), 2)])
def test_prompts_of_one_bucket_run_in_one_call_and_the_picture_stays(native, models, captions, calls):
    seen = []
    hook = models.ours.model.diffusion_model.register_forward_hook(lambda *_: seen.append(1))
    found = draw(native, models.ours, steps=3, cfg=3.0, captions=captions)
    hook.remove()
    assert len(seen) == 3 * calls
    same(found, draw(native, models.native, steps=3, cfg=3.0, captions=captions))


def test_an_attached_model_draws_natives_picture_and_leaves_the_model_as_it_was(native, models, pack):
    stock = native.model()
    before = draw(native, stock, cfg=3.0)
    attached = importlib.import_module("zimage_pack.nodes.bridge.network.attach").attach(stock)
    same(draw(native, attached, cfg=3.0), before, 1e-4)
    assert torch.equal(draw(native, stock, cfg=3.0), before)


@pytest.mark.slow
def test_an_attached_model_runs_our_forward(native, models):
    calls = []
    attached = models.attached
    forward = attached.object_patches["diffusion_model._forward"].__self__.final_layer
    hook = forward.register_forward_hook(lambda *_: calls.append(1))
    draw(native, attached, steps=2)
    hook.remove()
    assert len(calls) == 2


def test_loras_and_wrappers_act_on_an_attached_model_as_on_natives(native, models):
    from comfy.patcher_extension import WrappersMP

    calls = []

    def wrapper(executor, *args, **kwargs):
        calls.append(1)
        return executor(*args, **kwargs)

    patched = lora(models.attached)
    patched.add_wrapper_with_key(WrappersMP.DIFFUSION_MODEL, "test", wrapper)
    same(draw(native, patched), draw(native, lora(models.native)))
    assert len(calls) == 6
    same(draw(native, models.attached), draw(native, models.native))


def test_attaching_to_our_own_model_or_to_another_family_is_answered(models, pack):
    attach = importlib.import_module("zimage_pack.nodes.bridge.network.attach").attach
    assert attach(models.ours) is models.ours
    other = models.native.clone()
    other.add_object_patch("diffusion_model", torch.nn.Linear(1, 1))
    with pytest.raises(ValueError, match="not a Z-Image diffusion model: it has no x_embedder"):
        attach(other)


@pytest.mark.parametrize("kind", ["native", "ours", "attached"])
def test_hypertile_which_is_made_for_another_network_changes_nothing(native, models, kind):
    model = getattr(models, kind)
    node = extra("nodes_hypertile", "HyperTile")
    tiled = node(model=model, tile_size=32, swap_size=2, max_depth=2, scale_depth=False)[0]
    assert torch.equal(draw(native, tiled, steps=2), draw(native, model, steps=2))
