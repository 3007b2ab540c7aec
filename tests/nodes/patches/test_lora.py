"""LoRAs on a MODEL, ours and ComfyUI's own: the image equals that of a checkpoint with W + strength · ΔW.

References are the closed forms of ΔW in `helpers/loras.py`, added to a checkpoint, and ComfyUI's own LoRA loader.
"""

import errno
import gc
import importlib
import os
import resource
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import load_file, save_file

import loras

STRENGTH = 0.5


@pytest.fixture(scope="module")
def models(pack, native, tmp_path_factory):
    """Our MODEL, native's, and native's with our forward attached, on the same weights."""
    stock = native.model()
    ours = native.ours(pack, tmp_path_factory.mktemp("models"))
    return SimpleNamespace(ours=ours, native=stock, attached=pack.bridge_attach.attach(stock))


@pytest.fixture(scope="module")
def changed(pack, native, tmp_path_factory):
    """Our MODEL of a checkpoint to which ΔW was added."""
    place, weights = tmp_path_factory.mktemp("changed"), native.weights()

    def call(changes, strength=STRENGTH):
        state = weights.copy()
        for key, change in changes.items():
            state[key] = state[key] + strength * change
        save_file(state, place / "changed.safetensors")
        return pack.bridge_model.load_model(str(place / "changed.safetensors"))

    return call


def same(found, expected, tolerance=1e-4):
    torch.testing.assert_close(found, expected, atol=tolerance, rtol=0)


def families(native):
    """State dicts of every family, and the ΔW of each."""
    config = native.CONFIG
    drawn, blocks = loras.pairs(config), loras.pairs(config, only=loras.in_blocks)
    whole, apart = loras.fused(config, 3)
    merged, modules = loras.merged_feed_forward(blocks)
    made = {
        name: (state, loras.expected(config, drawn, scale))
        for name, (state, _, scale) in loras.plain_families(drawn).items()
    }
    fused = loras.keyed(whole, lambda name: "diffusion_model." + name, loras.A, loras.B, 2.0)
    diagonal = loras.block_diagonal(config, blocks)
    return made | {
        "native": (fused, loras.expected(config, apart, 2.0 / loras.RANK)),
        "converted": (loras.keyed(diagonal, loras.underscored("lora_unet_"), loras.DOWN, loras.UP), None),
        "merged feed-forward": (merged, loras.stacked(config, modules)),
        "dot style": (loras.dot_style(blocks), loras.expected(config, blocks)),
    }


FAMILIES = (
    *("diffusers", "peft", "bare", "ai-toolkit", "musubi", "VideoX-Fun", "DiffSynth", "OneTrainer", "OneTrainer, old"),
    *("SimpleTuner", "no .weight", "processor", "linear layer"),
    *("native", "converted", "merged feed-forward", "dot style"),
)
READ_BY_NATIVE = ("diffusers", "bare", "ai-toolkit", "DiffSynth", "OneTrainer", "SimpleTuner", "native")


@pytest.mark.slow
@pytest.mark.parametrize("name", FAMILIES)
def test_a_file_of_every_family_draws_the_picture_of_the_changed_weights(native, models, use, draw, changed, name):
    state, change = families(native)[name]
    if change is None:  # a conversion of this one
        change = loras.expected(native.CONFIG, loras.pairs(native.CONFIG, only=loras.in_blocks))
    found, report = use(models.ours, (state, STRENGTH))
    picture = draw(found)
    same(picture, draw(changed(change)))
    assert (picture - draw(models.ours)).abs().max() > 0.05
    assert "Matched: " in report
    assert "Not matched" not in report


@pytest.mark.slow
@pytest.mark.parametrize("name", READ_BY_NATIVE)
def test_the_picture_is_the_stock_loaders_on_natives_model(native, models, use, draw, lora_folder, name):
    state, _ = families(native)[name]
    save_file({key: tensor.contiguous().clone() for key, tensor in state.items()}, lora_folder / "stock.safetensors")
    stock = importlib.import_module("nodes").LoraLoaderModelOnly()
    (expected,) = stock.load_lora_model_only(models.native, "stock.safetensors", STRENGTH)
    expected = draw(expected)
    same(draw(use(models.ours, ("stock.safetensors", STRENGTH))[0]), expected, 1e-3)  # another epsilon in two norms
    same(draw(use(models.native, ("stock.safetensors", STRENGTH))[0]), expected, 1e-5)


def random(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed + 7 * shape[0] + shape[-1])) * 0.2


def kinds(native):
    """One state dict of every other kind of delta, and its ΔW by definition."""
    weights = native.weights()
    qkv, w1 = "layers.0.attention.qkv.weight", "layers.1.feed_forward.w1.weight"
    to_k = weights[qkv][256:512]
    halves = {"w1_a": random(256, 4), "w1_b": random(4, 256), "w2_a": random(256, 4, seed=1), "w2_b": random(4, 256)}
    first, left, right = random(16, 8), random(16, 2), random(2, 32)
    up, down, length = random(256, 4), random(4, 256), 1 + random(256, 1).abs()
    updated = to_k + up @ down
    dora = length * updated / updated.norm(dim=1, keepdim=True) - to_k
    base = "transformer.layers.0.attention.to_k"

    def keys(change):
        whole = torch.zeros(768, 256)
        whole[256:512] = change
        return {qkv: whole}

    return {
        "LoHa": (
            {f"lycoris_layers_0_attention_to_k.hada_{name}": tensor for name, tensor in halves.items()},
            keys((halves["w1_a"] @ halves["w1_b"]) * (halves["w2_a"] @ halves["w2_b"])),
        ),
        "LoKr": (
            {f"{base}.lokr_{name}": tensor for name, tensor in {"w1": first, "w2_a": left, "w2_b": right}.items()}
            | {f"{base}.alpha": torch.tensor(1.0)},
            keys(torch.kron(first, left @ right) / 2),
        ),
        "LoKr, whole": (
            {f"{base}.lokr_w1": first, f"{base}.lokr_w2": left @ right, f"{base}.alpha": torch.tensor(1e10)},
            keys(torch.kron(first, left @ right)),
        ),
        "DoRA": ({f"{base}{loras.A}": down, f"{base}{loras.B}": up, f"{base}.dora_scale": length}, keys(dora)),
        "differences": (
            {
                "diffusion_model.layers.1.feed_forward.w1.diff": random(768, 256),
                "transformer.layers.1.attention.norm_q.w_norm": random(32, 1)[:, 0],
                "diffusion_model.cap_embedder.1.diff_b": random(256, 1)[:, 0],
                "diffusion_model.x_pad_token.diff": random(1, 256),
                "diffusion_model.cap_pad_token.diff": random(1, 256, seed=1),
            },
            {
                w1: random(768, 256),
                "layers.1.attention.q_norm.weight": random(32, 1)[:, 0],
                "cap_embedder.1.bias": random(256, 1)[:, 0],
                "x_pad_token": random(1, 256),
                "cap_pad_token": random(1, 256, seed=1),
            },
        ),
        "new value": (
            {"diffusion_model.layers.1.feed_forward.w1.set_weight": random(768, 256)},
            {w1: random(768, 256) - weights[w1]},
        ),
    }


KINDS = ("LoHa", "LoKr", "LoKr, whole", "DoRA", "differences", "new value")


@pytest.mark.slow
@pytest.mark.parametrize("name", KINDS)
def test_a_file_of_every_kind_draws_the_picture_of_the_changed_weights(native, models, use, draw, changed, name):
    state, change = kinds(native)[name]
    expected = draw(changed(change))
    assert (expected - draw(models.ours)).abs().max() > 1e-2
    same(draw(use(models.ours, (state, STRENGTH))[0]), expected)
    for model in (models.native, models.attached):
        same(draw(use(model, (state, STRENGTH))[0]), expected, 1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("which", ["ours", "native", "attached"])
def test_a_model_without_its_loras_draws_bit_for_bit_what_it_drew_before(native, models, use, draw, which):
    model = getattr(models, which)
    before, weights = draw(model), model.model.state_dict()
    kept = {key: tensor.clone() for key, tensor in weights.items()}
    for state, _ in (families(native)["diffusers"], kinds(native)["DoRA"], kinds(native)["differences"]):
        assert not torch.equal(draw(use(model, (state, 1.0))[0]), before)
        assert torch.equal(draw(model), before)
    assert all(torch.equal(tensor, kept[key]) for key, tensor in model.model.state_dict().items())


@pytest.mark.slow
def test_files_add_up_in_one_node_and_in_two(native, models, use, draw, changed):
    config = native.CONFIG
    one, two = loras.pairs(config, 1), loras.pairs(config, 2, loras.in_blocks)
    first, second = (
        loras.keyed(drawn, lambda name: "transformer." + name, loras.A, loras.B, 2.0) for drawn in (one, two)
    )
    pads = {"diffusion_model.x_pad_token.diff": random(1, 256)}
    changes = loras.expected(config, one, 0.5 * 0.7)
    for key, change in loras.expected(config, two, 0.5 * -0.4).items():
        changes[key] = changes.get(key, 0) + change
    changes["x_pad_token"] = 2 * random(1, 256)
    expected = draw(changed(changes, 1.0))
    together, _ = use(models.ours, (first, 0.7), (second, -0.4), (pads, 2.0))
    same(draw(together), expected)
    one_after_the_other, _ = use(use(models.ours, (second, -0.4), (pads, 1.0))[0], (first, 0.7), (pads, 1.0))
    same(draw(one_after_the_other), expected)


def test_the_same_file_twice_is_twice_as_strong(native, models, use, draw):
    state, _ = families(native)["ai-toolkit"]
    twice, report = use(models.ours, (state, 0.2), ("lora_0.safetensors", 0.2))
    same(draw(twice), draw(use(models.ours, (state, 0.4))[0]))
    assert report.count("by ai-toolkit") == 2


def test_an_unchanged_node_and_strength_0_return_the_same_model_object(native, models, use):
    model, report = use(models.ours)
    assert model is models.ours
    assert report == "No LoRA is chosen."
    model, report = use(models.ours, (families(native)["bare"][0], 0.0))
    assert model is models.ours
    assert report == "lora_0.safetensors: left out, its strength is 0"


def test_the_report_names_trainer_kind_rank_alpha_and_unmatched_modules(native, models, use):
    state = families(native)["musubi"][0] | {"lora_unet_layers_0_attention_to_x.lora_down.weight": random(4, 4)}
    state["lora_te_text_model_encoder_layers_0_mlp_fc1.lora_up.weight"] = random(4, 4)
    _, report = use(models.ours, (state, 0.8))
    count = len(loras.modules(native.CONFIG))
    assert report.splitlines() == [
        "lora_0.safetensors: LoRA, by musubi-tuner or sd-scripts (kohya)",
        f"Matched: {count}, rank 4, alpha 2",
        "Not matched: 1 (lora_unet_layers_0_attention_to_x)",
        "Ignored: 1 keys for a text encoder",
        "Strength: 0.8",
    ]


def test_a_file_of_which_nothing_matches_is_refused_in_one_sentence(native, models, use):
    flux = {"lora_unet_double_blocks_0_img_attn_qkv.lora_down.weight": random(4, 4)}
    with pytest.raises(ValueError, match=r"^lora_0.safetensors is a LoRA for FLUX: none of its 1 tensors"):
        use(models.ours, (flux, 1.0))
    deep = loras.keyed({"layers.29.attention.out": loras.Pair(random(256, 4), random(4, 256))}, str, loras.A, loras.B)
    with pytest.raises(ValueError, match=r"changes nothing in this model: none of its 1 weights is there"):
        use(models.ours, (deep, 1.0))
    wide = loras.keyed({"layers.0.attention.out": loras.Pair(random(512, 4), random(4, 512))}, str, loras.A, loras.B)
    with pytest.raises(ValueError, match=r"does not fit this model: .* has shape \[512, 512\], .* \[256, 256\]"):
        use(models.native, (wide, 1.0))


@pytest.mark.slow
@pytest.mark.parametrize("naming", ["ComfyUI", "diffusers"])
def test_a_converted_file_draws_the_same_picture_and_none_is_overwritten(
    pack, native, models, use, draw, naming, tmp_path
):
    import folder_paths

    state, _ = families(native)["converted"]
    expected = draw(use(models.ours, (state, STRENGTH))[0])
    convert = pack.groups[5].ZImageConvertLora.execute
    before = folder_paths.get_output_directory()
    folder_paths.set_output_directory(str(tmp_path))
    try:
        (first,), (second,) = (convert("lora_0.safetensors", naming, "loras/mine").result for _ in range(2))
    finally:
        folder_paths.set_output_directory(before)
    assert [first, second] == [str(tmp_path / "loras" / f"mine_0000{number}_.safetensors") for number in (1, 2)]
    written = load_file(second)
    assert all(key.startswith("diffusion_model." if naming == "ComfyUI" else "transformer.") for key in written)
    same(draw(use(models.native, (written, STRENGTH))[0]), expected, 1e-3)


def refuse_new_files(self, mode="r"):
    if "x" in mode:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))
    return open(self, mode)  # noqa: PTH123, SIM115


@pytest.mark.parametrize("fault", ["full", "read-only", "no folder"])
def test_a_disk_that_cannot_be_written_gives_one_sentence_and_leaves_nothing(
    pack, native, lora_folder, monkeypatch, tmp_path, fault
):
    import folder_paths

    state, _ = families(native)["converted"]
    save_file({key: tensor.contiguous().clone() for key, tensor in state.items()}, lora_folder / "full.safetensors")
    monkeypatch.setattr(folder_paths, "output_directory", str(tmp_path))
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    match fault:
        case "full":
            resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limit[1]))
        case "read-only":
            monkeypatch.setattr(Path, "open", refuse_new_files)
        case _:
            (tmp_path / "loras").write_bytes(b"in the way")
    try:
        with pytest.raises(
            ValueError, match=r"^The LoRA cannot be written to ComfyUI's output folder \([A-Z].*\), and"
        ):
            pack.groups[5].ZImageConvertLora.execute("full.safetensors", "ComfyUI", "loras/x/y")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert not [file for file in tmp_path.rglob("*") if file.is_file() and file.name != "loras"]


def test_a_converted_file_stays_in_the_output_folder(pack, native, lora_folder):
    state, _ = families(native)["converted"]
    save_file({key: tensor.contiguous().clone() for key, tensor in state.items()}, lora_folder / "inside.safetensors")
    with pytest.raises(ValueError, match="'../../elsewhere' leads out of ComfyUI's output folder"):
        pack.groups[5].ZImageConvertLora.execute("inside.safetensors", "ComfyUI", "../../elsewhere")


def test_converting_nothing_says_what_to_do(pack):
    with pytest.raises(ValueError, match="No LoRA is chosen to convert. Pick a file"):
        pack.groups[5].ZImageConvertLora.execute("none", "ComfyUI", "loras/mine")


@pytest.mark.slow
def test_a_model_deleted_while_loaded_leaves_the_weights_unchanged(native, models, use, draw):
    before = draw(models.ours)
    model, _ = use(models.ours, (kinds(native)["differences"][0], 1.0))
    draw(model)
    del model
    gc.collect()
    assert torch.equal(draw(models.ours), before)


@pytest.mark.parametrize("name", ["LoKr", "DoRA", "new value"])
def test_weights_that_stay_in_ram_are_patched_when_they_are_fetched(native, use, name):
    """Low-VRAM loading, and the copy of a patch's tensors that dynamic VRAM prefetches."""
    import comfy.lora

    state, change = kinds(native)[name]
    ((key, difference),) = change.items()
    model, _ = use(native.model(), (state, STRENGTH))
    x, weight = random(5, 256), native.weights()[key]
    expected = x @ (weight + STRENGTH * difference).T
    patches = model.patches["diffusion_model." + key]
    patches[:] = [
        (first, comfy.lora.prefetch_prepared_value(form, [0], None, None, False), *rest)
        for first, form, *rest in patches
    ]
    model.load(torch.device("cpu"), lowvram_model_memory=1)
    layer = model.model.diffusion_model.get_submodule(key.removesuffix(".weight"))
    assert torch.equal(layer.weight, weight)
    assert len(layer.weight_function) == 1
    same(layer(x), expected, 1e-5)
