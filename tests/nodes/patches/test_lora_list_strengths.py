"""Strengths of a list's LoRAs by step, by block and under a limit, against plain LoRAs and dense sums.

The reference of a strength over the steps is a run in pieces, each with a model whose plain LoRA has the strength of
its step.
"""

import importlib
import re

import pytest
import torch
from safetensors.torch import save_file

from native_pictures import draw, same, stock_node

STEPS = 4
MODULES = {
    "layers.0.attention.out": (256, 256),
    "layers.1.feed_forward.w1": (768, 256),
    "context_refiner.0.feed_forward.w1": (768, 256),
}
NAMES = ("strong", "other")


def random(*shape, seed):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)) * 0.2


STATES = {
    name: {
        f"diffusion_model.{key}.{ending}.weight": random(*shape, seed=seed)
        for key, (height, width) in MODULES.items()
        for ending, shape in (("lora_A", (4, width)), ("lora_B", (height, 4)))
    }
    for seed, name in enumerate(NAMES)
}


@pytest.fixture(scope="module")
def put(pack, lora_folder):
    for name, state in STATES.items():
        save_file(state, lora_folder / f"{name}.safetensors")
    bias = {"diffusion_model.layers.0.attention_norm1.diff": random(256, seed=5)}
    save_file({**STATES["strong"], **bias}, lora_folder / "norms.safetensors")
    importlib.import_module("folder_paths").filename_list_cache.clear()
    return importlib.import_module("zimage_pack.nodes.lora_list").ZImageLoraList.execute


@pytest.fixture(params=["native", "attached"])
def model(native, pack, request):
    """ComfyUI's own forward, and ours, which caches the refined caption of a run."""
    model = native.model()
    return model if request.param == "native" else pack.bridge_attach.attach(model)


def in_pieces(native, put, model, strengths):
    """Latents from steps that each have a plain LoRA of their own strength."""
    latent = {"samples": torch.zeros(1, 16, 8, 8)}
    for step, strength in enumerate(strengths):
        (latent,) = stock_node("nodes", "KSamplerAdvanced")(
            model=put(model=model, loras=f"strong.safetensors : {strength}").result[0],
            add_noise="disable" if step else "enable",
            noise_seed=7,
            steps=STEPS,
            cfg=1.0,
            sampler_name="euler",
            scheduler="simple",
            positive=native.conditioning(17, 1),
            negative=native.conditioning(40, 2),
            latent_image=latent,
            start_at_step=step,
            end_at_step=step + 1,
            return_with_leftover_noise="enable" if step + 1 < STEPS else "disable",
        )
    return latent["samples"]


@pytest.mark.parametrize(
    ("written", "strengths"),
    [("0.8 @ 0.5-1", (0, 0, 0.8, 0.8)), ("1>0.2 @ 0.25-0.75", (0, 1, 0.6, 0))],
)
def test_a_strength_over_the_steps_is_that_of_plain_loras_step_by_step(native, put, model, written, strengths):
    changed = put(model=model, loras=f"strong.safetensors : {written}").result[0]
    found = draw(native, changed, steps=STEPS)
    same(found, in_pieces(native, put, model, strengths))
    assert (found - draw(native, model, steps=STEPS)).abs().max() > 0.01
    same(draw(native, model, steps=STEPS), in_pieces(native, put, model, (0,) * STEPS))  # nothing stays


def test_two_nodes_with_windows_add_up(native, put):
    model = native.model()
    row = "strong.safetensors : 0.4 @ 0.5-1"
    twice = put(model=put(model=model, loras=row).result[0], loras=row).result[0]
    same(draw(native, twice, steps=STEPS), in_pieces(native, put, model, (0, 0, 0.8, 0.8)))


@pytest.mark.parametrize(
    ("written", "plain"),
    [
        ("strong.safetensors : 0.8 @ 0-1", "strong.safetensors : 0.8"),
        ("strong.safetensors : 0.8>0.8", "strong.safetensors : 0.8"),
        ("strong.safetensors : 0.8 blocks rest=1", "strong.safetensors : 0.8"),
        ("strong.safetensors : 0.8 @ 0.9-1", ""),  # between the last step and the picture
        ("strong.safetensors : 0.8 @ 0.3-0.3", ""),
        ("strong.safetensors : 0.8 blocks rest=0", ""),
    ],
)
def test_what_changes_nothing_is_equal_to_the_bit(native, put, written, plain):
    found, expected = (put(model=native.model(), loras=text).result[0] for text in (written, plain))
    assert torch.equal(draw(native, found, steps=STEPS), draw(native, expected, steps=STEPS))


def test_steps_at_which_a_window_acts_are_not_repeated_from_a_captured_graph(native, put):
    from comfy.patcher_extension import WrappersMP

    model, seen = native.model(), []
    model.model_options["transformer_options"]["zimage_cuda_graphs"] = object()
    changed = put(model=model, loras="strong.safetensors : 0.8 @ 0.5-1").result[0]

    def watch(run, *args, **kwargs):
        seen.append("zimage_cuda_graphs" in kwargs["transformer_options"])
        return run(*args, **kwargs)

    changed.add_wrapper_with_key(WrappersMP.DIFFUSION_MODEL, "watch", watch)
    draw(native, changed, steps=STEPS)
    assert seen == [True, True, False, False]


def weights(model):
    """Every changed weight as ComfyUI patches it."""
    return {key: model.patch_weight_to_device(f"diffusion_model.{key}.weight", return_weight=True) for key in MODULES}


def test_factors_of_blocks_are_strengths_of_their_own(native, put):
    model = native.model()
    text = "strong.safetensors : 0.8 blocks 0=0.5 context_refiner=0 1=-1"
    found = weights(put(model=model, loras=text).result[0])
    for key, strength in zip(MODULES, (0.4, -0.8, 0.0), strict=True):
        expected = weights(put(model=model, loras=f"strong.safetensors : {strength}").result[0])
        assert torch.equal(found[key], expected[key]), key


def test_factors_for_blocks_that_the_model_does_not_have_are_told(native, put):
    model = native.model()  # of two main layers
    text = "strong.safetensors : 1 blocks 99=0 1-40=1 siglip_refiner=0 noise_refiner=1 rest=1"
    changed, _, report = put(model=model, loras=text).result
    assert "without effect: blocks 99, siglip_refiner. Its main layers are 0 to 1;" in report
    plain, _, silent = put(model=model, loras="strong.safetensors : 1 blocks 0-1=1 rest=1").result
    assert "without effect" not in silent
    assert all(torch.equal(weights(changed)[key], weight) for key, weight in weights(plain).items())


MORE = {  # than additions to layers: what is told of it, and the tensor that shows it
    "DoRA": ("layers.0.attention.out.dora_scale", (256, 1)),
    "OFT": ("layers.1.feed_forward.w1.oft_blocks", (4, 8, 8)),
    "GLoRA": ("layers.1.feed_forward.w1.a1.weight", (4, 256)),
    "replacement": ("layers.0.attention.out.set_weight", (256, 256)),
    "layers.0.attention_norm1.weight": ("layers.0.attention_norm1.diff", (256,)),
    "layers.0.adaLN_modulation.0.bias": ("layers.0.adaLN_modulation.0.diff_b", (1024,)),
    "x_pad_token": ("x_pad_token.diff", (1, 256)),
}


def test_a_lora_that_is_more_than_additions_cannot_change_between_steps(native, put):
    with pytest.raises(ValueError, match=r"^Line 1: norms.safetensors cannot change its strength between steps") as run:
        put(model=native.model(), loras="norms.safetensors : 1 @ 0-0.5")
    check = put.__self__.validate_inputs
    assert check(loras="norms.safetensors : 1 @ 0-0.5") == str(run.value)  # before the run, in the same words
    for fine in ("1", "1 @ 0-1", "0 @ 0-0.5", "1 @ 0-0.5 blocks 0=0"):
        assert check(loras=f"norms.safetensors : {fine}") is True
    assert check(loras="strong.safetensors : 0.3>1") is True


@pytest.mark.parametrize("found", MORE)
def test_a_header_alone_tells_what_cannot_change(put, lora_folder, found):
    key, shape = MORE[found]
    save_file({**STATES["other"], f"diffusion_model.{key}": random(*shape, seed=3)}, lora_folder / "norms2.safetensors")
    importlib.import_module("folder_paths").filename_list_cache.clear()
    assert f"layers ({found})" in put.__self__.validate_inputs(loras="norms2.safetensors : 0>1")


def share(network, changes):
    """The norm of changes by module as a share of that of the weights, computed in full."""
    whole = sum(network.get_parameter(f"{key}.weight").double().square().sum() for key in changes)
    return float((sum(change.double().square().sum() for change in changes.values()) / whole).sqrt())


def change(name, key):
    down, up = (STATES[name][f"diffusion_model.{key}.{ending}.weight"] for ending in ("lora_A", "lora_B"))
    return up.double() @ down.double()


LIST = "strong.safetensors : 0.8 blocks 0=0.5\nother.safetensors : -0.3"


def summed(factor=1.0):
    factors = {"layers.0.attention.out": 0.5}
    return {
        key: factor * (0.8 * factors.get(key, 1.0) * change("strong", key) - 0.3 * change("other", key))
        for key in MODULES
    }


def test_the_change_of_a_list_is_that_of_the_matrices_also_where_patches_are_in_the_weights(native, pack, put):
    lora_change = importlib.import_module("zimage_pack.nodes.bridge.patches.lora_change")
    model = native.model()
    expected = share(model.model.diffusion_model, summed())
    changed, _, report = put(model=model, loras=LIST).result
    assert f"Together they change the weights by {float(f'{100 * expected:.2g}'):g} %" in report
    lora_change.NORMS.clear()
    draw(native, changed, steps=1)  # patches the weights in place
    assert put(model=model, loras=LIST).result[2] == report


def test_changes_of_any_size_are_told_without_an_exponent(native, put):
    report = put(model=native.model(), loras="strong.safetensors : 12345\nother.safetensors : 0.000001").result[2]
    assert "strong.safetensors : 12345" in report
    *_, last = report.splitlines()
    told = re.findall(r"[^ (]+(?= %)", last)
    assert len(told) == 3 and all(re.fullmatch(r"\d+(\.\d+)?", each) for each in told), last


def test_a_limit_lowers_all_strengths_together_to_it(native, put):
    model = native.model()
    original = {key: model.model.diffusion_model.get_parameter(f"{key}.weight").clone() for key in MODULES}
    whole = share(model.model.diffusion_model, summed())
    limit = round(100 * whole / 2, 1)
    changed, _, report = put(model=model, loras=LIST, most_change=limit).result
    expected = summed(limit / 100 / whole)
    for key, weight in weights(changed).items():
        torch.testing.assert_close(weight - original[key], expected[key].float(), atol=1e-5, rtol=1e-3)
    assert "all strengths x 0.5" in report
    windowed = put(model=model, loras="strong.safetensors : 0.8 @ 0-0.5", most_change=limit).result[2]
    assert "all strengths x" in windowed


@pytest.mark.parametrize("limit", [0.0, 100000.0])
def test_no_limit_and_one_that_is_not_reached_are_neutral_to_the_bit(native, put, limit):
    model = native.model()
    found, expected = (
        weights(put(model=model, loras=LIST, **given).result[0]) for given in ({"most_change": limit}, {})
    )
    assert all(torch.equal(found[key], expected[key]) for key in MODULES)
