"""LoRA files of every family and kind: each gives ΔW as its definition says, and no key is dropped silently."""

import json

import pytest
import torch
from safetensors.torch import save_file

import loras
import tiny
from lora_changes import BLOCKS, DRAWN, HALF, SHAPES, changes, random, same
from zimage_core.adapters import AdapterError
from zimage_core.checkpoints import CheckpointError, read_lora


@pytest.mark.parametrize("name", loras.plain_families(DRAWN))
def test_a_file_that_keeps_queries_keys_and_values_apart_makes_its_change(name):
    state, family, scale = loras.plain_families(DRAWN)[name]
    lora = read_lora(state)
    same(changes(lora), loras.expected(tiny.DIT, DRAWN, scale))
    report = lora.report()
    assert family in report.family
    assert (report.matched, report.unmatched, report.ranks) == (len(DRAWN), (), (loras.RANK,))


@pytest.mark.parametrize("alpha", [None, 2.0])
@pytest.mark.parametrize("prefix", ["diffusion_model.", "model.diffusion_model.", ""])
def test_a_file_on_the_fused_matrix_makes_its_change(prefix, alpha):
    whole, apart = loras.fused(tiny.DIT, 3)
    lora = read_lora(loras.keyed(whole, lambda name: prefix + name, loras.A, loras.B, alpha))
    same(changes(lora), loras.expected(tiny.DIT, apart, 1 if alpha is None else alpha / loras.RANK))
    assert "ComfyUI" in lora.report().family or not prefix


def test_a_file_converted_for_comfyui_makes_the_change_of_the_original():
    """musubi's converter: rank and alpha of the fused matrix are three times those of its parts."""
    whole = loras.block_diagonal(tiny.DIT, BLOCKS)
    state = loras.keyed(whole, loras.underscored("lora_unet_"), loras.DOWN, loras.UP)
    for name, pair in whole.items():
        state[loras.underscored("lora_unet_")(name) + ".alpha"] = torch.tensor(0.5 * len(pair.down))
    lora = read_lora(state)
    same(changes(lora), loras.expected(tiny.DIT, BLOCKS, 0.5))
    assert lora.report().ranks == (loras.RANK, 3 * loras.RANK)


def test_the_merged_feed_forward_is_cut_into_w3_and_w1():
    state, modules = loras.merged_feed_forward(BLOCKS)
    same(changes(read_lora(state)), loras.stacked(tiny.DIT, modules))


def test_matrices_that_the_dot_style_repeats_are_left_out_and_reported():
    lora = read_lora(loras.dot_style(BLOCKS))
    same(changes(lora), loras.expected(tiny.DIT, BLOCKS))
    assert len(lora.report().redundant) == 8  # qkv and out of four blocks
    assert "Left out: 8" in lora.report().describe()


def test_split_and_fused_names_of_one_file_do_not_add_up():
    once = loras.keyed(BLOCKS, lambda name: "diffusion_model." + name, loras.A, loras.B)
    again = loras.keyed(
        loras.block_diagonal(tiny.DIT, BLOCKS), lambda name: "diffusion_model." + name, loras.A, loras.B
    )
    same(changes(read_lora({**once, **again})), loras.expected(tiny.DIT, BLOCKS))


@pytest.mark.parametrize("alpha", [None, 1.0])
def test_loha_is_the_elementwise_product_of_two_products(alpha):
    names = {"w1_a": random(64, 4), "w1_b": random(4, 64), "w2_a": random(64, 4, seed=1), "w2_b": random(4, 64, seed=1)}
    state = {f"lycoris_layers_0_attention_to_k.hada_{name}": tensor for name, tensor in names.items()}
    if alpha is not None:
        state["lycoris_layers_0_attention_to_k.alpha"] = torch.tensor(alpha)
    change = (names["w1_a"] @ names["w1_b"]) * (names["w2_a"] @ names["w2_b"]) * (1 if alpha is None else alpha / 4)
    same(changes(read_lora(state)), loras.stacked(tiny.DIT, {"layers.0.attention.to_k": change}))


LOKR = {  # which factors are products, and the scale an alpha of 1 gives
    "whole": ((), 1.0),
    "second": (("w2",), 1 / 2),
    "first": (("w1",), 1 / 3),
    "both": (("w1", "w2"), 1 / 2),
}


@pytest.mark.parametrize("products", LOKR)
@pytest.mark.parametrize("prefix", ["diffusion_model.", "lycoris_"])
def test_lokr_is_the_kronecker_product_and_its_alpha_counts_only_with_a_product_in_it(products, prefix):
    split, scale = LOKR[products]
    halves = {"w1": (random(8, 3), random(3, 4)), "w2": (random(8, 2), random(2, 16))}
    module = "layers.1.attention.to_v"
    base = prefix + (module.replace(".", "_") if prefix.endswith("_") else module)
    state = {f"{base}.alpha": torch.tensor(1.0 if split else 1e10)}
    for name, (a, b) in halves.items():
        state |= (
            {f"{base}.lokr_{name}_a": a, f"{base}.lokr_{name}_b": b}
            if name in split
            else {f"{base}.lokr_{name}": a @ b}
        )
    change = scale * torch.kron(halves["w1"][0] @ halves["w1"][1], halves["w2"][0] @ halves["w2"][1])
    same(changes(read_lora(state)), loras.stacked(tiny.DIT, {module: change}))


@pytest.mark.parametrize("axis", ["rows", "columns", "PEFT"])
def test_dora_brings_the_changed_weight_to_its_lengths(axis):
    """Equation 5 of the paper, lengths of V + ΔV; PEFT's file has one length per row and no second axis."""
    pair, weight = DRAWN["layers.0.attention.to_k"], tiny.dit().state_dict()["layers.0.attention.qkv.weight"][64:128]
    changed = weight + 0.5 * pair.up @ pair.down
    dim = 0 if axis == "columns" else 1
    magnitude = 1 + random(64, 1).abs() if dim else 1 + random(1, 64).abs()
    key = "transformer.layers.0.attention.to_k"
    ending = "lora_magnitude_vector" if axis == "PEFT" else "dora_scale"
    state = loras.keyed({"layers.0.attention.to_k": pair}, lambda name: "transformer." + name, loras.A, loras.B, 2.0)
    state[f"{key}.{ending}"] = magnitude[:, 0] if axis == "PEFT" else magnitude
    ((target, delta),) = read_lora(state).fitted(SHAPES).deltas.items()
    assert (target.parameter, target.part) == ("layers.0.attention.qkv.weight", 1)
    wanted = magnitude * changed / torch.linalg.vector_norm(changed, dim=dim, keepdim=True)
    torch.testing.assert_close(weight + delta.change(weight), wanted, atol=1e-6, rtol=0)


def test_full_differences_of_matrices_norms_biases_and_pads_and_new_values():
    state = {
        "diffusion_model.layers.0.attention.qkv.diff": random(192, 64),
        "transformer.layers.1.attention.norm_q.w_norm": random(32, 1)[:, 0],
        "lora_unet_noise_refiner_0_attention_norm1.diff": random(64, 1)[:, 0],
        "diffusion_model.cap_embedder.1.diff_b": random(64, 1)[:, 0],
        "diffusion_model.x_pad_token.diff": random(1, 64),
        "diffusion_model.layers.0.feed_forward.w1.set_weight": random(170, 64),
    }
    found = changes(read_lora(state))
    ours = [
        "layers.0.attention.qkv.weight",
        "layers.1.attention.q_norm.weight",
        "noise_refiner.0.attention_norm1.weight",
        "cap_embedder.1.bias",
        "x_pad_token",
        "layers.0.feed_forward.w1.weight",
    ]
    same(found, dict(zip(ours, state.values(), strict=True)), tolerance=0)


def test_alphas_of_peft_come_from_the_metadata(tmp_path):
    told = {
        "transformer.r": 4,
        "transformer.lora_alpha": 8,
        "transformer.alpha_pattern": {"layers.0.attention.to_q": 2},
    }
    state = loras.keyed(BLOCKS, lambda name: "transformer." + name, loras.A, loras.B)
    save_file(state, tmp_path / "a.safetensors", {"lora_adapter_metadata": json.dumps(told)})
    found = changes(read_lora(tmp_path / "a.safetensors"))
    wanted = loras.expected(tiny.DIT, BLOCKS, 2.0)
    wanted["layers.0.attention.qkv.weight"][:64] /= 4
    same(found, wanted)
    told["transformer.use_rslora"] = True
    stable = changes(read_lora(state, {"lora_adapter_metadata": json.dumps(told)}))
    same(stable, {key: 2 * change for key, change in wanted.items()})  # alpha / sqrt(4)


def test_text_encoder_keys_are_ignored_and_unknown_ones_named():
    state = loras.keyed(BLOCKS, lambda name: "transformer." + name, loras.A, loras.B)
    state["lora_te1_text_model_encoder_layers_0_mlp_fc1.lora_down.weight"] = HALF
    state["text_encoders.qwen3_4b.transformer.model.layers.0.mlp.up_proj.lora_A.weight"] = HALF
    state["transformer.layers.0.attention.to_x.lora_A.weight"] = HALF
    state["transformer.norm_final.diff"] = HALF
    state["transformer.layers.0.attention.to_q.on_input"] = HALF
    state["transformer.layers.77.attention.to_q.lora_A.weight"] = DRAWN["layers.0.attention.to_q"].down
    state["transformer.layers.77.attention.to_q.lora_B.weight"] = DRAWN["layers.0.attention.to_q"].up
    report = read_lora(state).fitted(SHAPES).report()
    assert len(report.text_encoder) == 2
    assert set(report.unmatched) == {
        "transformer.layers.0.attention.to_x",
        "transformer.norm_final",
        "transformer.layers.0.attention.to_q.on_input",
        "layers.77.attention.qkv.weight",
    }
    assert "Not matched: 4 (" in report.describe()
    assert "Ignored: 2" in report.describe()


def test_a_fused_weight_that_is_not_there_is_named_once_for_its_three_parts():
    apart = {name: pair for name, pair in BLOCKS.items() if "attention.to_" in name}
    lora = read_lora(loras.keyed(apart, lambda name: "transformer." + name, loras.A, loras.B))
    gone = {key: shape for key, shape in SHAPES.items() if key != "layers.0.attention.qkv.weight"}
    assert lora.fitted(gone).report().unmatched == ("layers.0.attention.qkv.weight",)
    assert "Not matched: 1 (layers.0.attention.qkv.weight)" in lora.fitted(gone).report().describe()
    with pytest.raises(AdapterError) as refusal:
        lora.fitted({"x_pad_token": (1, 256)})
    assert str(refusal.value).count("layers.0.attention.qkv.weight") == 1


def test_8_bit_files_make_the_change_of_their_values():
    eight = {name: loras.Pair(*(each.to(torch.float8_e4m3fn) for each in pair)) for name, pair in BLOCKS.items()}
    wide = {name: loras.Pair(*(each.float() for each in pair)) for name, pair in eight.items()}
    same(changes(read_lora(loras.keyed(eight, str, loras.A, loras.B))), loras.expected(tiny.DIT, wide))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_numbers_that_are_not_finite_are_refused_by_their_key(value, dtype):
    name = "diffusion_model.layers.0.attention.out"
    up, down = torch.ones(tiny.DIT.dim, 2, dtype=dtype), torch.ones(2, tiny.DIT.dim, dtype=dtype)
    lora = {f"{name}.lora_A.weight": down, f"{name}.lora_B.weight": up}
    assert read_lora(lora).deltas
    up[3, 1] = value
    with pytest.raises(CheckpointError, match=r"not finite in diffusion_model\.layers\.0\.attention\.out\.lora_B"):
        read_lora(lora)
