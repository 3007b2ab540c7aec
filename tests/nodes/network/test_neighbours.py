"""Stock nodes on our MODEL do what they do on native's: the same picture on the same weights, step for step.

And what native accepts but ignores, ours honours.
"""

import importlib
import shutil
from types import SimpleNamespace
from unittest.mock import patch

import pytest
import torch
from safetensors.torch import load_file

from native_pictures import draw, extra, lora, same, stock_node
from zimage_core.checkpoints import read_lora


def start(seed=3, batch=1):
    return {"samples": torch.randn(batch, 16, 8, 8, generator=torch.Generator().manual_seed(seed))}


def aura_flow(model):
    return extra("nodes_model_advanced", "ModelSamplingAuraFlow")(model=model, shift=1.7)[0]


def scale_rope(model):
    node = extra("nodes_rope", "ScaleROPE")
    return node(model=model, scale_x=0.8, shift_x=1.0, scale_y=1.2, shift_y=0.0, scale_t=1.0, shift_t=0.0)[0]


def rescale_cfg(model):
    return extra("nodes_model_advanced", "RescaleCFG")(model=model, multiplier=0.7)[0]


CHANGES = {"AuraFlow": aura_flow, "ScaleROPE": scale_rope, "RescaleCFG": rescale_cfg, "LoRA": lora}


@pytest.mark.slow
@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_stock_patch_changes_our_picture_as_it_changes_natives(native, models, change):
    expected = draw(native, change(models.native), cfg=3.0)
    same(draw(native, change(models.ours), cfg=3.0), expected)
    assert (expected - draw(native, models.native, cfg=3.0)).abs().max() > 0.05
    same(draw(native, models.ours, cfg=3.0), draw(native, models.native, cfg=3.0))  # and leaves nothing behind


@pytest.mark.slow
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


@pytest.mark.slow
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


@pytest.mark.slow
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


@pytest.mark.slow
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


@pytest.mark.slow
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


@pytest.mark.slow
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


@pytest.mark.slow
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


@pytest.mark.slow
def fill_alike(factor, **_):
    """First values that depend on a LoRA's shape alone, as the two networks' layers come in different orders."""
    return factor.data.uniform_(-0.1, 0.1, generator=torch.Generator().manual_seed(3))


def train(native, model):
    """The weights and losses of two steps of ComfyUI's training node."""
    node = importlib.import_module("comfy_extras.nodes_train").TrainLoraNode
    schema = node.define_schema()
    settings = {each.id: each.default for each in schema.inputs if getattr(each, "default", None) is not None}
    lists = {"latents": [start()], "positive": [native.conditioning(17, 1)]}
    changes = {"steps": 2, "batch_size": 1, "rank": 4, "training_dtype": "fp32", "lora_dtype": "fp32", "seed": 3}
    inputs = {**settings, **changes, "model": model}
    wrapped = {key: value if key in lists else [value] for key, value in {**inputs, **lists}.items()}
    with torch.inference_mode(False), patch("torch.nn.init.kaiming_uniform_", fill_alike):
        weights, losses, *_ = node.execute(**wrapped).result
    return weights, losses


def test_training_a_lora_takes_two_steps_and_lowers_natives_loss_alike(native, models):
    (ours, our_losses), (theirs, native_losses) = (train(native, each.clone()) for each in (models.ours, models.native))
    assert ours.keys() == theirs.keys()
    found, expected = (torch.tensor([float(x) for x in losses["loss"]]) for losses in (our_losses, native_losses))
    torch.testing.assert_close(found, expected, atol=1e-3, rtol=1e-3)


def test_a_lora_trained_on_ours_and_saved_by_stock_changes_ours_as_natives(native, models, tmp_path, monkeypatch):
    import comfy.sd
    import folder_paths

    monkeypatch.setattr(folder_paths, "output_directory", str(tmp_path))
    weights, _ = train(native, models.ours.clone())
    large = {key: value * 30 if key.endswith("lora_up.weight") else value for key, value in weights.items()}
    extra("nodes_train", "SaveLoRA")(lora=large, prefix="loras/trained", steps=2)
    [file] = (tmp_path / "loras").glob("trained_2_steps_*.safetensors")
    saved = load_file(file)
    ours, theirs = (
        comfy.sd.load_lora_for_models(each, None, dict(saved), 1.0, 0.0)[0] for each in (models.ours, models.native)
    )
    found = draw(native, ours)
    assert (found - draw(native, models.ours)).abs().max() > 1e-2
    same(found, draw(native, theirs))
    assert len(read_lora(file).deltas) > 0


@pytest.mark.slow
@pytest.mark.skipif(not (shutil.which("g++") or shutil.which("clang++")), reason="inductor needs a C++ compiler")
def test_a_compiled_model_draws_the_same(native, models):
    compiled = extra("nodes_torch_compile", "TorchCompileModel")(model=models.ours, backend="inductor")[0]
    same(draw(native, compiled, steps=2), draw(native, models.ours, steps=2), 1e-4)
