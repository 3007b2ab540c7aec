"""Z-Image NAG, Z-Image Region and LoRAs of regions on a prompt with reference pictures."""

import importlib
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import save_file

FULL = {"x": 0.0, "y": 0.0, "width": 1.0, "height": 1.0, "global_weight": 0.0}
LAYERS = (
    *("context_refiner.1.feed_forward.w2", "noise_refiner.0.attention.out", "layers.0.attention.qkv"),
    *("layers.1.feed_forward.w1", "x_embedder", "cap_embedder.1", "final_layer.linear"),
)


@pytest.fixture(scope="module", params=["ours", "attached"])
def model(request, pack, native, tmp_path_factory):
    if request.param == "ours":
        return native.ours(pack, tmp_path_factory.mktemp("models"), native.OMNI)
    return pack.bridge_attach.attach(native.model(native.OMNI))


@pytest.fixture
def edit(native):
    """A prompt of n tokens with two references, chunks before them and one that closes."""
    generator = torch.Generator().manual_seed(99)
    width, features = native.OMNI.siglip_feat_dim, native.OMNI.cap_feat_dim
    seen = [
        SimpleNamespace(last_hidden_state=torch.randn(1, 16, width, generator=generator), image_sizes=[(3, 64, 64)])
        for _ in range(2)
    ]
    references = {
        "reference_latents": [torch.randn(1, 16, *size, generator=generator) for size in ((8, 8), (4, 12))],
        "clip_vision_outputs": seen,
        "reference_latents_text_embeds": [torch.randn(1, n, features, generator=generator) for n in (4, 2, 3)],
    }

    def prompt(n, seed):
        [[caption, values]] = native.conditioning(n, seed)
        return [[caption, {**values, **references}]]

    return prompt


@pytest.fixture
def sample(comfy):
    def draw(model, positive, negative=None, cfg=1.0, batch=1):
        noise = torch.randn(batch, 16, 8, 8, generator=torch.Generator().manual_seed(3))
        settings = (2, cfg, "euler", "simple", positive, negative or positive, torch.zeros_like(noise))
        return comfy.sample.sample(model, noise, *settings, disable_pbar=True)

    return draw


def node_of(module, name):
    node = getattr(importlib.import_module(f"zimage_pack.nodes.{module}"), name)
    inputs = [each for each in node.define_schema().inputs if getattr(each, "default", None) is not None]
    defaults = {each.id: each.default for each in inputs if not each.optional}
    return lambda **given: node.execute(**{**defaults, **given}).result[0]


@pytest.fixture
def region(pack):
    add = node_of("region", "ZImageRegion")
    return lambda whole, own, **changes: add(conditioning=whole, region_prompt=own, **changes)


@pytest.mark.parametrize("batch", [1, 2])
def test_a_negative_prompt_that_says_the_same_changes_nothing(native, edit, model, sample, batch):
    """Its tokens see references and picture as the prompt's do; so both results of attention are one."""
    nag = node_of("nag", "ZImageNAG")
    plain = sample(model, edit(17, 1), batch=batch)
    same = sample(nag(model=model, negative=native.conditioning(17, 1)), edit(17, 1), batch=batch)
    other = sample(nag(model=model, negative=native.conditioning(40, 2)), edit(17, 1), batch=batch)
    torch.testing.assert_close(same, plain, atol=1e-4, rtol=0)
    assert other.isfinite().all() and (other - plain).abs().max() > 1e-2


def test_one_region_over_everything_is_the_edit_it_asks_for(native, edit, model, sample, region):
    """At once where it takes the prompt's place, and by the way that regions go, as it ends before the run does."""
    whole, own = edit(20, 1), native.conditioning(50, 5)
    expected = sample(model, edit(50, 5))
    assert torch.equal(sample(model, region(whole, own, **FULL)), expected)
    torch.testing.assert_close(sample(model, region(whole, own, **FULL, end_percent=0.999)), expected)


@pytest.mark.parametrize("batch", [1, 2])
def test_two_regions_hear_their_own_prompts_in_one_edit(native, edit, model, sample, region, batch):
    whole, own = edit(20, 1), native.conditioning(50, 5)
    half = sample(model, region(whole, own), whole, 3.0, batch)
    both = sample(model, region(region(whole, own), edit(9, 6), x=0.5), whole, 3.0, batch)
    assert half.isfinite().all() and both.isfinite().all()
    assert (half - both).abs().max() > 1e-2 and (half - sample(model, whole, whole, 3.0, batch)).abs().max() > 1e-2


def test_a_region_brings_no_pictures_of_its_own(native, edit, region):
    with pytest.raises(ValueError, match="whole prompt has none"):
        region(native.conditioning(20, 1), edit(20, 1))


def test_a_loras_region_over_everything_is_load_lora(native, edit, model, sample, region, use, lora_folder):
    generator, state, weights = torch.Generator().manual_seed(6), {}, native.weights(native.OMNI)
    for layer in LAYERS:
        height, width = weights[f"{layer}.weight"].shape
        state[f"diffusion_model.{layer}.lora_A.weight"] = torch.randn(2, width, generator=generator) * 0.1
        state[f"diffusion_model.{layer}.lora_B.weight"] = torch.randn(height, 2, generator=generator) * 0.3
    save_file(state, lora_folder / "beside_references.safetensors")
    loaded = use(model, ("beside_references.safetensors", 0.8))[0]
    own = {"lora": "beside_references.safetensors", "lora_strength": 0.8}
    found = sample(model, region(edit(20, 1), native.conditioning(50, 5), **FULL, **own))
    expected = sample(loaded, edit(50, 5))
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)
    assert (expected - sample(model, edit(50, 5))).abs().max() > 0.05
