"""Reference pictures in ComfyUI: our MODEL against native's Omni path on the same weights, with its rules.

Native's query and key norms use epsilon 1.2e-7 where the reference and ours use 1e-5; see test_model.
"""

import pytest
import torch

CLOSE = {"atol": 1e-4, "rtol": 0}


@pytest.fixture(scope="module")
def our_model(pack, native, tmp_path_factory):
    return native.ours(pack, tmp_path_factory.mktemp("models"), native.OMNI)


@pytest.fixture(scope="module")
def native_model(native):
    return native.model(native.OMNI)


@pytest.fixture(scope="module")
def attached_model(pack, native_model):
    return pack.bridge_attach.attach(native_model)


# Lengths of the chunks before and after the caption's, sizes of latents, of grids; the caption's length, the picture.
CASES = {
    "one": ([5, 3], [(8, 12)], [(2, 3)], 17, (8, 12)),
    "three": ([4, 2, 2, 3], [(8, 8), (6, 10), (2, 2)], [(4, 4), (3, 5), (1, 1)], 40, (8, 12)),
    "no features": ([4, 3], [(8, 8)], [], 32, (8, 8)),
    "features of the first only": ([4, 2, 3], [(8, 8), (8, 8)], [(4, 4)], 9, (8, 8)),
    "no words for the pictures": ([], [(8, 8), (4, 4)], [], 9, (8, 8)),
    "an odd picture": ([4, 3], [(8, 8)], [(4, 4)], 9, (9, 7)),
}


def inputs(native, case, generator, batch=1):
    chunks, latents, grids, caption, size = case

    def random(*shape):
        return torch.randn(batch, *shape, generator=generator)

    features = native.OMNI.cap_feat_dim
    return (
        (random(16, *size), torch.rand(batch, generator=generator), random(caption, features), caption),
        {
            "ref_latents": [random(16, *latent) for latent in latents],
            "ref_contexts": [random(length, features) for length in chunks],
            "siglip_feats": [random(*grid, native.OMNI.siglip_feat_dim) for grid in grids],
            "transformer_options": {},
        },
    )


@pytest.mark.slow
@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
@torch.inference_mode()
def test_references_give_natives_velocity_under_its_rules(our_model, native, case, batch, generator):
    """Native stops at a batch of two with a closing chunk, whose positions it does not repeat; so it draws alone."""
    tensors, known = inputs(native, case, generator, batch)
    network = native.network(native.OMNI)
    expected = [network(*item(index, tensors), **item(index, known)) for index in range(batch)]
    found = our_model.model.diffusion_model(*tensors, **known)
    torch.testing.assert_close(found, torch.cat(expected), **CLOSE)


def item(index, values):
    """One item of everything in a batch."""

    def alone(value):
        if isinstance(value, list):
            return [alone(each) for each in value]
        return value[index : index + 1] if isinstance(value, torch.Tensor) else value

    return {key: alone(value) for key, value in values.items()} if isinstance(values, dict) else map(alone, values)


@torch.inference_mode()
def test_other_rules_than_natives_give_another_picture(our_model, native, pack, generator):
    tensors, known = inputs(native, CASES["one"], generator)
    network = our_model.model.diffusion_model
    rules = pack.core_model
    default = network(*tensors, **known)
    assert torch.equal(network(*tensors, **known, omni_rules=rules.COMFYUI), default)
    for other in (rules.DEFAULT_RULES, rules.DIFFUSERS):
        assert (network(*tensors, **known, omni_rules=other) - default).abs().max() > 1e-2


class Seen:
    """What a CLIP_VISION hands on of one picture."""

    def __init__(self, grid, width, generator):
        u, v = grid
        self.last_hidden_state = torch.randn(1, u * v, width, generator=generator)
        self.image_sizes = [(3, u * 16, v * 16)]


def conditioning(native, n, seed, size=(8, 8), **values):
    """Conditioning with one reference, as the stock node makes it."""
    generator = torch.Generator().manual_seed(99)  # the same picture for every prompt
    reference = {
        "reference_latents": [torch.randn(1, 16, *size, generator=generator)],
        "clip_vision_outputs": [Seen((4, 4), native.OMNI.siglip_feat_dim, generator)],
        "reference_latents_text_embeds": [
            torch.randn(1, length, native.OMNI.cap_feat_dim, generator=generator) for length in (4, 3)
        ],
    }
    [[features, more]] = native.conditioning(n, seed)
    return [[features, {**more, **reference, **values}]]


def ksampler(comfy, model, positive, negative, size=(8, 8), batch=1, **changes):
    settings = {"steps": 3, "cfg": 4.0, "sampler_name": "euler", "scheduler": "simple", "seed": 7, **changes}
    latent = torch.zeros(batch, 16, *size)
    return comfy.sample.sample(
        model,
        comfy.sample.prepare_noise(latent, settings["seed"]),
        positive=positive,
        negative=negative,
        latent_image=latent,
        disable_pbar=True,
        **settings,
    )


@pytest.mark.slow
def test_the_stock_ksampler_draws_natives_edit_with_our_model(comfy, our_model, native_model, attached_model, native):
    prompts = [conditioning(native, n, seed) for seed, n in enumerate((17, 40))]
    expected = ksampler(comfy, native_model, *prompts)
    for model in (our_model, attached_model):
        torch.testing.assert_close(ksampler(comfy, model, *prompts), expected, atol=1e-3, rtol=0)
    assert not torch.allclose(expected, ksampler(comfy, native_model, *map(plain, prompts)), atol=1e-2)


@pytest.mark.slow
def test_prompts_of_one_padded_length_share_a_call_and_draw_what_they_draw_alone(comfy, our_model, native):
    """Also a batch of pictures; native stops at both."""
    positive, negative = (conditioning(native, n, n) for n in (17, 20))
    apart = conditioning(native, 20, 20, reference_latents_text_embeds=[])  # nothing to run together with
    calls = []
    hook = our_model.model.diffusion_model.register_forward_hook(lambda module, args, out: calls.append(len(out)))
    try:
        together = ksampler(comfy, our_model, positive, negative, batch=2)
        ksampler(comfy, our_model, positive, apart, batch=2, steps=1)
    finally:
        hook.remove()
    assert calls == [4, 4, 4, 2, 2]
    single = our_model.clone()
    single.set_model_unet_function_wrapper(one_at_a_time)
    torch.testing.assert_close(ksampler(comfy, single, positive, negative, batch=2), together, atol=1e-4, rtol=1e-4)


def one_at_a_time(apply_model, call):
    """Every item of a call on its own."""
    rows = [
        apply_model(
            call["input"][index : index + 1],
            call["timestep"][index : index + 1],
            **item(index, alone(index, call["c"])),
        )
        for index in range(len(call["input"]))
    ]
    return torch.cat(rows)


def alone(index, conds):
    """Lengths are told item by item."""
    return {**conds, "caption_lengths": conds["caption_lengths"][index : index + 1]}


def plain(prompt):
    """The same words without pictures."""
    [[features, _]] = prompt
    return [[features, {"pooled_output": None}]]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["double_block", "noise_refiner"])
def test_block_patches_get_natives_tensors_with_references_too(comfy, our_model, native_model, native, kind):
    def run(model):
        seen = []

        def patch(args):
            seen.append({key: args[key].clone() for key in ("img", "img_input", "pe", "vec", "x")})
            return {"img": args["img"] * 1.1}

        patched = model.clone()
        patched.set_model_patch(patch, kind)
        return ksampler(comfy, patched, *(conditioning(native, n, n) for n in (17, 40)), cfg=1.0), seen

    (ours, our_calls), (expected, native_calls) = run(our_model), run(native_model)
    torch.testing.assert_close(ours, expected, atol=1e-3, rtol=0)
    assert len(our_calls) == len(native_calls) > 0
    for mine, theirs in zip(our_calls, native_calls, strict=True):
        for key, tensor in mine.items():
            torch.testing.assert_close(tensor, theirs[key], atol=1e-3, rtol=1e-3, msg=lambda m, key=key: f"{key}: {m}")


def test_pictures_of_unequal_size_are_not_run_together(comfy, our_model, native):
    """Two references of other sizes cannot share a call; each prompt still draws what it draws alone."""
    small, large = conditioning(native, 17, 1), conditioning(native, 17, 1, size=(4, 12))
    calls = []
    hook = our_model.model.diffusion_model.register_forward_hook(lambda module, args, out: calls.append(len(out)))
    try:
        ksampler(comfy, our_model, small, large, steps=1)
    finally:
        hook.remove()
    assert calls == [1, 1]


def test_references_and_their_features_count_in_the_memory_estimate(our_model, native):
    [[_, values]] = conditioning(native, 17, 1)
    shapes = our_model.model.extra_conds_shapes(**values)
    [batch, channels, cells] = shapes["ref_latents"]
    assert (batch, channels, cells) == (1, 16, 8 * 8 + 4 * 32)  # 16 features padded to 32 tokens of four cells each
    base = our_model.model.memory_required([1, 16, 8, 8])
    more = our_model.model.memory_required([1, 16, 8, 8], {"ref_latents": [shapes["ref_latents"]]})
    assert more / base == pytest.approx(1 + cells / 64)


def test_a_model_that_cannot_look_says_so_and_what_to_do(comfy, pack, native, tmp_path):
    turbo = native.ours(pack, tmp_path)
    ours = {"zimage_omni_rules": pack.core_model.COMFYUI}  # as Z-Image Edit Encode writes it
    with pytest.raises(ValueError, match="cannot look at reference pictures; only Omni and Edit"):
        ksampler(comfy, turbo, conditioning(native, 17, 1, **ours), conditioning(native, 9, 2, **ours))


@pytest.mark.parametrize("kind", ["vision and latents", "latents"])
def test_stock_conditioning_with_pictures_draws_natives_picture_on_a_model_that_cannot_look(
    comfy, pack, native, tmp_path, kind
):
    """As TextEncodeZImageOmni makes it, with its vision model connected or not, on Turbo or base."""
    changes = {} if kind == "vision and latents" else {"clip_vision_outputs": []}
    prompts = [conditioning(native, n, seed, **changes) for seed, n in enumerate((17, 40))]
    stock, turbo = native.model(), native.ours(pack, tmp_path)
    expected = ksampler(comfy, stock, *prompts)
    for model in (turbo, pack.bridge_attach.attach(stock)):
        torch.testing.assert_close(ksampler(comfy, model, *prompts), expected, atol=1e-3, rtol=0)
    assert not torch.allclose(expected, ksampler(comfy, stock, *map(plain, prompts)), atol=1e-2)
