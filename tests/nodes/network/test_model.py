"""Our MODEL against ComfyUI's own on the same weights, in every way the graph can run it.

Native's query and key norms use epsilon 1.2e-7 where the reference and ours use 1e-5; that, and nothing else, is why
single evaluations agree to about 1e-5 and not to rounding.
"""

import pytest
import torch
from stand_in import GPU

import tiny
from zimage_core.model import S3DiT


@pytest.fixture(scope="module")
def our_model(pack, native, tmp_path_factory):
    return native.ours(pack, tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="module")
def native_model(native):
    return native.model()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("caption", "size", "batch"), [(17, (8, 12), 1), (32, (16, 16), 2), (40, (9, 13), 1), (1, (2, 2), 3)]
)
@torch.inference_mode()
def test_the_network_gives_natives_velocity(our_model, native, caption, size, batch, generator):
    x = torch.randn(batch, 16, *size, generator=generator)  # odd sizes too: native pads and crops, so must we
    context = torch.randn(batch, caption, native.CONFIG.cap_feat_dim, generator=generator)
    sigma = torch.rand(batch, generator=generator)
    expected = native.network()(x, sigma, context, caption, transformer_options={})
    found = our_model.model.diffusion_model(x, sigma, context, caption, transformer_options={})
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=0)


def ksampler(comfy, model, native, **changes):
    """The stock KSampler's call."""
    settings = {"steps": 8, "cfg": 1.0, "sampler_name": "euler", "scheduler": "simple", "seed": 7, **changes}
    latent = torch.zeros(1, 16, 8, 8)
    noise = comfy.sample.prepare_noise(latent, settings["seed"])
    return comfy.sample.sample(
        model,
        noise,
        positive=native.conditioning(17, 1),
        negative=native.conditioning(40, 2),
        latent_image=latent,
        disable_pbar=True,
        **settings,
    )


def our_sampler(pack, model, native, *, solver="euler", steps=8, strength=1.0, latent=None, **guidance):
    """Latent and evaluations of our sampler node's call; Turbo's shift 3 is also ComfyUI's default for Z-Image."""
    core = pack.bridge_sampling
    schedule = pack.groups[3].shifted_schedule(steps, 3.0, strength)
    run = core.sample(
        model,
        native.conditioning(17, 1),
        native.conditioning(40, 2),
        {"samples": torch.zeros(1, 16, 8, 8)} if latent is None else latent,
        sigmas=schedule,
        seed=7,
        solver=solver,
        guidance=core.Guidance(**guidance),
    )
    return run.latent, run.nfe


@pytest.mark.slow
@pytest.mark.parametrize("name", ["euler", "heun", "res_multistep"])
@pytest.mark.parametrize("cfg", [1.0, 4.0])
def test_the_stock_ksampler_and_our_sampler_draw_the_same_picture_with_our_model(
    comfy, pack, our_model, native, name, cfg
):
    stock = ksampler(comfy, our_model, native, sampler_name=name, cfg=cfg)
    found, _ = our_sampler(pack, our_model, native, solver=name, cfg=cfg)
    torch.testing.assert_close(found["samples"], stock, atol=1e-4, rtol=1e-5)


def test_our_sampler_draws_with_a_stock_model_what_the_stock_ksampler_draws(comfy, pack, native_model, native):
    stock = ksampler(comfy, native_model, native, cfg=4.0)
    found, evaluations = our_sampler(pack, native_model, native, cfg=4.0)
    torch.testing.assert_close(found["samples"], stock, atol=1e-4, rtol=1e-5)
    assert evaluations == 16


def test_our_model_draws_natives_picture_in_the_stock_ksampler(comfy, our_model, native_model, native):
    expected = ksampler(comfy, native_model, native, cfg=3.0)
    found = ksampler(comfy, our_model, native, cfg=3.0)
    assert expected.std() > 0.5
    torch.testing.assert_close(found, expected, atol=1e-3, rtol=0)  # sixteen evaluations of up to 1e-4, amplified


@pytest.mark.parametrize(
    ("settings", "evaluations"),
    [
        ({"cfg": 1.0}, 8),
        ({"cfg": 4.0}, 16),
        ({"cfg": 4.0, "truncation": 0.3}, 13),
        ({"cfg": 1.0, "solver": "heun"}, 15),
        ({"cfg": 1.0, "strength": 0.5}, 4),
        ({"cfg": 1.0, "strength": 0.0}, 0),
    ],
)
def test_the_sampler_reports_the_evaluations_the_network_made(pack, our_model, native, settings, evaluations):
    calls = []
    network = our_model.model.diffusion_model
    hook = network.register_forward_hook(lambda module, args, out: calls.append(1))
    try:
        _, reported = our_sampler(pack, our_model, native, **settings)
    finally:
        hook.remove()
    assert reported == len(calls) == evaluations


def test_neutral_guidance_settings_change_no_bit(pack, our_model, native):
    plain, _ = our_sampler(pack, our_model, native, cfg=4.0)
    neutral, _ = our_sampler(pack, our_model, native, cfg=4.0, normalization=0.0, truncation=1.0)
    assert torch.equal(plain["samples"], neutral["samples"])


def test_normalised_guidance_is_the_cores(pack, our_model, native):
    plain, _ = our_sampler(pack, our_model, native, cfg=8.0)
    capped, _ = our_sampler(pack, our_model, native, cfg=8.0, normalization=1.0)
    loose, _ = our_sampler(pack, our_model, native, cfg=8.0, normalization=1000.0)
    torch.testing.assert_close(loose["samples"], plain["samples"], atol=1e-4, rtol=1e-4)
    assert not torch.allclose(capped["samples"], plain["samples"], atol=1e-2)


def test_normalisation_acts_only_where_guidance_does(pack, our_model, native):
    """Past the end of guidance, and at cfg 1, there is nothing to cap."""
    truncated, _ = our_sampler(pack, our_model, native, cfg=4.0, truncation=0.3)
    loose, _ = our_sampler(pack, our_model, native, cfg=4.0, truncation=0.3, normalization=1000.0)
    torch.testing.assert_close(loose["samples"], truncated["samples"], atol=1e-4, rtol=1e-4)
    off, _ = our_sampler(pack, our_model, native, cfg=1.0)
    capped, _ = our_sampler(pack, our_model, native, cfg=1.0, normalization=0.5)
    assert torch.equal(off["samples"], capped["samples"])


def test_strength_zero_returns_the_latent_untouched(pack, our_model, native):
    latent = {"samples": torch.full((1, 16, 8, 8), 0.5), "noise_mask": torch.ones(1, 8, 8)}
    found, evaluations = our_sampler(pack, our_model, native, strength=0.0, latent=latent)
    assert torch.equal(found["samples"], latent["samples"])
    assert evaluations == 0
    assert found["noise_mask"] is latent["noise_mask"]


@pytest.mark.slow
def test_sampling_leaves_the_model_as_it_was(comfy, pack, our_model, native):
    before = ksampler(comfy, our_model, native)
    our_sampler(pack, our_model, native, cfg=4.0, normalization=0.5)
    assert torch.equal(ksampler(comfy, our_model, native), before)
    assert "sampler_cfg_function" not in our_model.model_options


def test_an_empty_latent_of_another_shape_is_refitted_as_stock_samplers_do(pack, our_model, native):
    found, _ = our_sampler(pack, our_model, native, latent={"samples": torch.zeros(1, 4, 8, 8)})
    assert found["samples"].shape == (1, 16, 8, 8)


def test_a_latent_of_another_vae_is_refused(pack, our_model, native):
    with pytest.raises(ValueError, match="another model's VAE"):
        our_sampler(pack, our_model, native, latent={"samples": torch.ones(1, 4, 8, 8)})


def test_another_familys_model_is_refused_by_name(pack, our_model, native):
    other = our_model.clone()
    other.model = torch.nn.Linear(1, 1)
    with pytest.raises(ValueError, match="the model here is Linear"):
        our_sampler(pack, other, native)


def test_wrappers_of_the_graph_run_around_our_network(comfy, our_model, native):
    from comfy.patcher_extension import WrappersMP

    seen = []

    def wrapper(executor, *args, **kwargs):
        seen.append(kwargs["transformer_options"]["cond_or_uncond"])
        return executor(*args, **kwargs)

    patched = our_model.clone()
    patched.add_wrapper_with_key(WrappersMP.DIFFUSION_MODEL, "test", wrapper)
    ksampler(comfy, patched, native, steps=2)
    assert seen == [[0], [0]]


@pytest.mark.parametrize("kind", ["double_block", "noise_refiner"])
def test_block_patches_get_natives_tensors_and_their_result_counts(comfy, our_model, native_model, native, kind):
    def run(model):
        seen = []

        def patch(args):
            seen.append(
                {key: value.clone() if isinstance(value, torch.Tensor) else value for key, value in args.items()}
            )
            return {"img": args["img"] * 1.1}

        patched = model.clone()
        patched.set_model_patch(patch, kind)
        return ksampler(comfy, patched, native, steps=2), seen

    (ours, our_calls), (expected, native_calls) = run(our_model), run(native_model)
    torch.testing.assert_close(ours, expected, atol=1e-3, rtol=0)
    assert not torch.allclose(ours, ksampler(comfy, our_model, native, steps=2), atol=1e-2)
    assert len(our_calls) == len(native_calls)
    for mine, theirs in zip(our_calls, native_calls, strict=True):
        assert mine.keys() == theirs.keys()
        for key in ("img", "img_input", "txt", "pe", "vec", "x"):
            torch.testing.assert_close(
                mine[key], theirs[key], atol=1e-3, rtol=1e-3, msg=lambda m, key=key: f"{key}: {m}"
            )
        assert mine["block_index"] == theirs["block_index"]


def test_scale_rope_moves_the_picture_as_it_moves_natives(comfy, our_model, native_model, native):
    def run(model):
        patched = model.clone()
        patched.set_model_rope_options(0.5, 1.0, 0.7, 2.0, 1.0, 0.0)
        return ksampler(comfy, patched, native, steps=2)

    expected = run(native_model)
    torch.testing.assert_close(run(our_model), expected, atol=1e-3, rtol=0)
    assert not torch.allclose(expected, ksampler(comfy, native_model, native, steps=2), atol=1e-2)


def test_an_attention_override_reaches_our_blocks(comfy, our_model, native):
    calls = []

    def override(original, *args, **kwargs):
        calls.append(args[0].shape)
        return original(*args, **kwargs)

    patched = our_model.clone()
    patched.model_options["transformer_options"]["optimized_attention_override"] = override
    ksampler(comfy, patched, native, steps=1)
    blocks = native.CONFIG.n_layers + 2 * native.CONFIG.n_refiner_layers
    assert len(calls) == blocks


def test_interruption_reaches_into_a_step(comfy, our_model, native):
    from comfy import model_management

    n_blocks = 0

    def interrupt_in_the_second_block(original, *args, **kwargs):
        nonlocal n_blocks
        n_blocks += 1
        if n_blocks == 2:
            model_management.interrupt_current_processing()
        return original(*args, **kwargs)

    patched = our_model.clone()
    patched.model_options["transformer_options"]["optimized_attention_override"] = interrupt_in_the_second_block
    with pytest.raises(model_management.InterruptProcessingException):
        ksampler(comfy, patched, native, steps=2)
    assert n_blocks == 2


def test_a_plain_call_computes_where_the_latents_are_though_weights_wait_in_ram(comfy):
    """As under ComfyUI's dynamic VRAM; the prompt's embeddings come from RAM."""
    import comfy.ops

    network = S3DiT(tiny.DIT, ops=comfy.ops.manual_cast, dtype=torch.float32, device="cpu")
    velocity = network(torch.zeros(1, 16, 8, 8, device=GPU), torch.full((1,), 0.5, device=GPU), [torch.zeros(9, 48)])
    assert velocity.device == GPU


def test_a_clone_for_another_device_can_be_made(our_model):
    assert our_model.cached_patcher_init is not None
    assert our_model.clone(disable_dynamic=True) is not None


def test_lora_keys_of_both_layouts_map_to_our_parameters(comfy, our_model):
    import comfy.lora

    keys = comfy.lora.model_lora_keys_unet(our_model.model, {})
    assert keys["diffusion_model.layers.0.attention.qkv"] == "diffusion_model.layers.0.attention.qkv.weight"
    assert keys["transformer.layers.1.attention.to_k"] == (
        "diffusion_model.layers.1.attention.qkv.weight",
        (0, 256, 256),
    )
    assert keys["lora_unet_layers_0_attention_out"] == "diffusion_model.layers.0.attention.out.weight"
