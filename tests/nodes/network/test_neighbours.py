"""Stock nodes on our MODEL do what they do on native's: the same picture on the same weights, step for step.

And what native accepts but ignores, ours honours.
"""

import importlib
import shutil
from types import SimpleNamespace

import pytest
import torch


@pytest.fixture(scope="module")
def models(pack, native, tmp_path_factory):
    """Our MODEL, native's, and native's with our forward attached, on the same weights."""
    stock = native.model()
    attached = importlib.import_module("zimage_pack.nodes.bridge.network.attach").attach(stock)
    return SimpleNamespace(ours=native.ours(pack, tmp_path_factory.mktemp("models")), native=stock, attached=attached)


def stock_node(module, name):
    """A node class of ComfyUI's own, called as the executor calls it."""
    node = getattr(importlib.import_module(module), name)

    def call(**inputs):
        if hasattr(node, "FUNCTION"):
            return getattr(node(), node.FUNCTION)(**inputs)
        return node.execute(**inputs).result

    return call


def extra(module, name):
    return stock_node(f"comfy_extras.{module}", name)


def start(seed=3, batch=1):
    return {"samples": torch.randn(batch, 16, 8, 8, generator=torch.Generator().manual_seed(seed))}


def draw(native, model, *, steps=6, cfg=1.0, latent=None, denoise=1.0, captions=(17, 40), positive=None):
    """The stock KSampler."""
    (out,) = stock_node("nodes", "KSampler")(
        model=model,
        seed=7,
        steps=steps,
        cfg=cfg,
        sampler_name="euler",
        scheduler="simple",
        positive=positive or native.conditioning(captions[0], 1),
        negative=native.conditioning(captions[1], 2),
        latent_image=latent or {"samples": torch.zeros(1, 16, 8, 8)},
        denoise=denoise,
    )
    return out["samples"]


def same(found, expected, tolerance=1e-3):
    torch.testing.assert_close(found, expected, atol=tolerance, rtol=0)


def aura_flow(model):
    return extra("nodes_model_advanced", "ModelSamplingAuraFlow")(model=model, shift=1.7)[0]


def scale_rope(model):
    node = extra("nodes_rope", "ScaleROPE")
    return node(model=model, scale_x=0.8, shift_x=1.0, scale_y=1.2, shift_y=0.0, scale_t=1.0, shift_t=0.0)[0]


def rescale_cfg(model):
    return extra("nodes_model_advanced", "RescaleCFG")(model=model, multiplier=0.7)[0]


def lora(model):
    """A LoRA in ComfyUI's own names and in diffusers' names, through the stock loader's code."""
    import comfy.sd

    generator = torch.Generator().manual_seed(11)
    weights = {}
    rows = {
        "diffusion_model.layers.0.attention.qkv": 768,
        "transformer.layers.1.attention.to_k": 256,
        "diffusion_model.layers.1.feed_forward.w1": 768,
    }
    for key, out in rows.items():
        weights[f"{key}.lora_A.weight"] = torch.randn(4, 256, generator=generator) * 0.2
        weights[f"{key}.lora_B.weight"] = torch.randn(out, 4, generator=generator) * 0.2
    return comfy.sd.load_lora_for_models(model, None, weights, 1.0, 0.0)[0]


CHANGES = {"AuraFlow": aura_flow, "ScaleROPE": scale_rope, "RescaleCFG": rescale_cfg, "LoRA": lora}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_stock_patch_changes_our_picture_as_it_changes_natives(native, models, change):
    expected = draw(native, change(models.native), cfg=3.0)
    same(draw(native, change(models.ours), cfg=3.0), expected)
    assert (expected - draw(native, models.native, cfg=3.0)).abs().max() > 0.05
    same(draw(native, models.ours, cfg=3.0), draw(native, models.native, cfg=3.0))  # and leaves nothing behind


def test_merging_models_gives_natives_picture(native, models, pack, tmp_path):
    from safetensors.torch import save_file

    merge = extra("nodes_model_merging", "ModelMergeSimple")
    other = {key: tensor.flip(0) if tensor.ndim > 1 else tensor for key, tensor in native.weights().items()}
    save_file({key: tensor.contiguous() for key, tensor in other.items()}, tmp_path / "other.safetensors")
    our_other = pack.bridge_model.load_model(str(tmp_path / "other.safetensors"))
    native_other = native.model()
    native_other.model.load_model_weights(dict(other), "")
    found = draw(native, merge(model1=models.ours, model2=our_other, ratio=0.6)[0])
    expected = draw(native, merge(model1=models.native, model2=native_other, ratio=0.6)[0])
    same(found, expected)
    assert (expected - draw(native, models.native)).abs().max() > 0.05


def test_a_saved_model_loads_again_to_the_same_weights(models, pack, tmp_path):
    """Through what the ModelSave node calls."""
    import comfy.sd

    comfy.sd.save_checkpoint(str(tmp_path / "saved.safetensors"), models.ours)
    again = pack.bridge_model.load_model(str(tmp_path / "saved.safetensors"))
    before, after = (model.model.diffusion_model.state_dict() for model in (models.ours, again))
    assert before.keys() == after.keys()
    assert all(torch.equal(before[key], after[key]) for key in before)


def test_advanced_sampling_in_two_parts_gives_natives_picture(native, models):
    node = stock_node("nodes", "KSamplerAdvanced")

    def two_parts(model):
        inputs = {
            "model": model, "noise_seed": 7, "steps": 6, "cfg": 2.0, "sampler_name": "dpmpp_2m", "scheduler": "beta",
            "positive": native.conditioning(17, 1), "negative": native.conditioning(40, 2),
        }  # fmt: skip
        first = {"add_noise": "enable", "start_at_step": 0, "end_at_step": 3, "return_with_leftover_noise": "enable"}
        (half,) = node(**inputs, **first, latent_image={"samples": torch.zeros(1, 16, 8, 8)})
        second = {
            "add_noise": "disable",
            "start_at_step": 3,
            "end_at_step": 99,
            "return_with_leftover_noise": "disable",
        }
        (whole,) = node(**inputs, **second, latent_image=half)
        return whole["samples"]

    same(two_parts(models.ours), two_parts(models.native))


def test_custom_sampling_with_our_sigmas_gives_natives_picture(native, models, pack):
    sampler = extra("nodes_custom_sampler", "SamplerCustomAdvanced")
    guider = extra("nodes_custom_sampler", "CFGGuider")
    noise = extra("nodes_custom_sampler", "RandomNoise")(noise_seed=5)[0]
    select = extra("nodes_custom_sampler", "KSamplerSelect")(sampler_name="res_multistep")[0]
    sigmas = pack.groups[3].ZImageSigmas.execute(6, 3.0, 0.7).result[0]

    def run(model):
        conds = {"positive": native.conditioning(17, 1), "negative": native.conditioning(20, 2)}
        (guide,) = guider(model=model, cfg=3.0, **conds)
        return sampler(noise=noise, guider=guide, sampler=select, sigmas=sigmas, latent_image=start())[0]["samples"]

    same(run(models.ours), run(models.native))


@pytest.mark.parametrize("is_differential", [False, True])
def test_inpainting_through_a_mask_gives_natives_picture_and_keeps_the_rest(native, models, is_differential):
    ramp = torch.linspace(0, 1, 64)[None, None].expand(1, 64, 64)
    mask = ramp if is_differential else (ramp > 0.5).float()
    (latent,) = stock_node("nodes", "SetLatentNoiseMask")(samples=start(), mask=mask)

    def run(model):
        if is_differential:
            model = extra("nodes_differential_diffusion", "DifferentialDiffusion")(model=model)[0]
        return draw(native, model, latent=latent, denoise=0.8)

    expected = run(models.native)
    same(run(models.ours), expected)
    if not is_differential:
        same(expected[..., :4], latent["samples"][..., :4], 1e-5)
    assert (expected[..., 5:] - latent["samples"][..., 5:]).abs().max() > 0.1


@pytest.mark.parametrize("name", ["EasyCacheNode", "LazyCacheNode"])
def test_step_caches_skip_the_same_steps_of_ours_as_of_natives(native, models, name):
    node = extra("nodes_easycache", name)

    def run(model):
        calls = []
        hook = model.model.diffusion_model.layers[0].register_forward_hook(lambda *_: calls.append(1))
        cached = node(model=model, reuse_threshold=0.6, start_percent=0.1, end_percent=0.95, verbose=False)[0]
        picture = draw(native, cached, steps=12)
        hook.remove()
        return picture, len(calls)

    (found, ours), (expected, theirs) = run(models.ours), run(models.native)
    assert ours == theirs < 12
    same(found, expected)


def test_prompt_scheduling_gives_natives_picture(native, models):
    """A prompt for the first half of the steps and another for the second, at half strength in one corner."""
    early, late = native.conditioning(17, 1), native.conditioning(33, 5)
    set_range = stock_node("nodes", "ConditioningSetTimestepRange")
    (early,), (late,) = (
        set_range(conditioning=early, start=0.0, end=0.5),
        set_range(conditioning=late, start=0.5, end=1.0),
    )
    (corner,) = stock_node("nodes", "ConditioningSetArea")(
        conditioning=native.conditioning(20, 6), width=32, height=32, x=0, y=0, strength=0.5
    )
    prompts = early + late + corner
    found, expected = (draw(native, model, cfg=2.0, positive=prompts) for model in (models.ours, models.native))
    same(found, expected)


def test_weight_hooks_by_time_give_natives_picture(native, models):
    """A LoRA hook on the conditioning that begins half-way."""
    import comfy.hooks

    generator = torch.Generator().manual_seed(4)
    key = "diffusion_model.layers.0.attention.out"
    weights = {
        f"{key}.lora_A.weight": torch.randn(4, 256, generator=generator) * 0.3,
        f"{key}.lora_B.weight": torch.randn(256, 4, generator=generator) * 0.3,
    }

    def run(model):
        hooks = comfy.hooks.create_hook_lora(lora=weights, strength_model=1.0, strength_clip=0.0)
        keyframes = comfy.hooks.HookKeyframeGroup()
        keyframes.add(comfy.hooks.HookKeyframe(strength=0.0, start_percent=0.0))
        keyframes.add(comfy.hooks.HookKeyframe(strength=1.0, start_percent=0.5))
        hooks.set_keyframes_on_hooks(keyframes)
        positive = comfy.hooks.set_hooks_for_conditioning(native.conditioning(17, 1), hooks)
        hooked = model.clone()
        hooked.register_all_hook_patches(hooks, comfy.hooks.create_target_dict(comfy.hooks.EnumWeightTarget.Model))
        return draw(native, hooked, steps=4, positive=positive)

    expected = run(models.native)
    same(run(models.ours), expected)
    assert (expected - draw(native, models.native, steps=4)).abs().max() > 0.02


CONTROLS = {
    "1.0": {"n_control_layers": 6},
    "2.0": {"n_control_layers": 15, "additional_in_dim": 17, "refiner_control": True, "broken": True},
    "2.1": {"n_control_layers": 15, "additional_in_dim": 17, "refiner_control": True},
    "2.1 lite": {"n_control_layers": 3, "additional_in_dim": 17, "refiner_control": True},
}


@pytest.fixture(scope="module")
def deep(pack, native, tmp_path_factory):
    """Thirty layers, which the Fun ControlNets count on."""
    from dataclasses import replace

    config = replace(native.CONFIG, n_layers=30)
    folder = tmp_path_factory.mktemp("deep")
    return SimpleNamespace(ours=native.ours(pack, folder, config), native=native.model(config))


@pytest.mark.parametrize("variant", CONTROLS.values(), ids=CONTROLS)
def test_fun_controlnets_steer_our_model_as_they_steer_natives(native, deep, variant):
    import comfy.ldm.lumina.controlnet
    import comfy.model_patcher
    import comfy.ops

    import tiny

    control = comfy.ldm.lumina.controlnet.ZImage_Control(
        dim=256, n_heads=8, n_kv_heads=8, **variant, dtype=torch.float32, device="cpu", operations=comfy.ops.manual_cast
    )
    tiny.fill(control, 9)
    cpu = torch.device("cpu")
    patch = comfy.model_patcher.CoreModelPatcher(control, load_device=cpu, offload_device=cpu)

    class Vae:
        def encode(self, image):
            return image.movedim(-1, 1)[:, :1, ::8, ::8].repeat(1, 16, 1, 1) * 3

        def spacial_compression_encode(self):
            return 8

    image = torch.rand(1, 64, 64, 3, generator=torch.Generator().manual_seed(2))
    node = extra("nodes_model_patch", "ZImageFunControlnet")

    def run(model):
        return draw(native, node(model=model, model_patch=patch, vae=Vae(), image=image, strength=0.7)[0], steps=2)

    expected = run(deep.native)
    same(run(deep.ours), expected)
    assert (expected - draw(native, deep.native, steps=2)).abs().max() > 0.05


def test_training_a_lora_takes_two_steps_and_lowers_natives_loss_alike(native, models):
    node = importlib.import_module("comfy_extras.nodes_train").TrainLoraNode
    schema = node.define_schema()
    settings = {each.id: each.default for each in schema.inputs if getattr(each, "default", None) is not None}
    lists = {"latents": [start()], "positive": [native.conditioning(17, 1)]}
    changes = {"steps": 2, "batch_size": 1, "rank": 4, "training_dtype": "fp32", "lora_dtype": "fp32", "seed": 3}

    def run(model):
        inputs = {**settings, **changes, "model": model}
        wrapped = {key: value if key in lists else [value] for key, value in {**inputs, **lists}.items()}
        with torch.inference_mode(False):
            weights, losses, *_ = node.execute(**wrapped).result
        return weights, losses

    (ours, our_losses), (theirs, native_losses) = run(models.ours.clone()), run(models.native.clone())
    assert ours.keys() == theirs.keys()
    found, expected = (torch.tensor([float(x) for x in losses["loss"]]) for losses in (our_losses, native_losses))
    torch.testing.assert_close(found, expected, atol=1e-3, rtol=1e-3)


@pytest.mark.skipif(not (shutil.which("g++") or shutil.which("clang++")), reason="inductor needs a C++ compiler")
def test_a_compiled_model_draws_the_same(native, models):
    compiled = extra("nodes_torch_compile", "TorchCompileModel")(model=models.ours, backend="inductor")[0]
    same(draw(native, compiled, steps=2), draw(native, models.ours, steps=2), 1e-4)


# --- what native ignores ---


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


@pytest.mark.parametrize("kind", ["ours", "attached"])
def test_guided_attention_needs_prompts_of_one_bucket_not_of_one_length(native, models, kind):
    model = getattr(models, kind)
    plain = draw(native, model, captions=(17, 30))
    assert (draw(native, nag(model), captions=(17, 30)) - plain).abs().max() > 0.1


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


# --- attaching ---


def test_an_attached_model_draws_natives_picture_and_leaves_the_model_as_it_was(native, models, pack):
    stock = native.model()
    before = draw(native, stock, cfg=3.0)
    attached = importlib.import_module("zimage_pack.nodes.bridge.network.attach").attach(stock)
    same(draw(native, attached, cfg=3.0), before, 1e-4)
    assert torch.equal(draw(native, stock, cfg=3.0), before)


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
