"""OFT, BOFT and GLoRA files: rotations keep lengths and angles, and every kind is its closed form.

That strengths and pictures are ComfyUI's is tested in `tests/nodes/patches/test_lora_rotations.py`.
"""

import pytest
import torch

import tiny
from lora_changes import SHAPES, random
from zimage_core.adapters import LowRank, Target
from zimage_core.checkpoints import CheckpointError, read_lora
from zimage_core.checkpoints.lora.write import NAMINGS

WEIGHT = tiny.dit().state_dict()["layers.0.attention.qkv.weight"]  # (192, 64)
TO_K, QKV = "lycoris_layers_0_attention_to_k", "diffusion_model.layers.0.attention.qkv"
A1, A2, B1, B2 = random(64, 4), random(4, 64), random(192, 4, seed=1), random(4, 64, seed=2)


def changed(state, weight):
    """The weight with a file that changes only it, at strength 1."""
    ((_, delta),) = read_lora(state).fitted(SHAPES).deltas.items()
    return weight + delta.change(weight)


def cayley(blocks):
    skew, one = blocks - blocks.mT, torch.eye(blocks.shape[-1])
    return (one + skew) @ torch.linalg.inv(one - skew)


ROTATIONS = {
    "OFT": {f"{TO_K}.oft_blocks": random(8, 8, 8)},
    "OFT of one block": {f"{TO_K}.oft_blocks": random(1, 64, 64)},
    "OFT with a constraint": {f"{TO_K}.oft_blocks": random(8, 8, 8), f"{TO_K}.alpha": torch.tensor(0.5)},
    "OFT without one": {f"{TO_K}.oft_blocks": random(8, 8, 8), f"{TO_K}.alpha": torch.tensor(0)},
    "BOFT": {f"{TO_K}.oft_blocks": random(4, 8, 8, 8)},
    "BOFT with a constraint": {f"{TO_K}.oft_blocks": random(3, 16, 4, 4), f"{TO_K}.alpha": torch.tensor(0.5)},
}


@pytest.mark.parametrize("name", ROTATIONS)
def test_a_rotation_of_the_outputs_keeps_every_product_of_two_columns(name):
    weight = WEIGHT[64:128]
    turned = changed(ROTATIONS[name], weight)
    torch.testing.assert_close(turned.T @ turned, weight.T @ weight, atol=1e-5, rtol=0)
    assert (turned - weight).abs().max() > 1e-2


def test_oft_is_the_block_diagonal_matrix_of_its_rotations():
    blocks = random(8, 8, 8)
    turn = torch.block_diag(*cayley(blocks).mT)
    torch.testing.assert_close(changed(ROTATIONS["OFT"], WEIGHT[64:128]), turn @ WEIGHT[64:128], atol=1e-6, rtol=0)


def test_the_constraint_bounds_the_norm_of_all_blocks_together():
    blocks = random(8, 8, 8)
    skew = blocks - blocks.mT
    turn = torch.block_diag(*cayley(blocks * (0.5 / skew.norm())).mT)
    found = changed(ROTATIONS["OFT with a constraint"], WEIGHT[64:128])
    torch.testing.assert_close(found, turn @ WEIGHT[64:128], atol=1e-6, rtol=0)


def test_a_boft_of_one_stage_rotates_blocks_of_rows_as_its_factors_say_and_then_rescales():
    """Of one stage the butterfly leaves rows 2s to 2s + b in place but for their order within the block."""
    blocks, factors = random(1, 8, 8, 8), 1 + random(64, 1)
    state = {f"{TO_K}.oft_blocks": blocks, f"{TO_K}.rescale": factors}
    order = torch.arange(64).reshape(8, 2, 4).mT.flatten()
    place = torch.eye(64)[order]
    turn = place.T @ torch.block_diag(*cayley(blocks[0])) @ place
    torch.testing.assert_close(changed(state, WEIGHT[64:128]), factors * (turn @ WEIGHT[64:128]), atol=1e-5, rtol=0)


@pytest.mark.parametrize("alpha", [None, 2.0])
@pytest.mark.parametrize("order", ["first", "later"])
def test_glora_changes_the_weight_by_a_product_with_it_in_both_orders_of_lycoris(order, alpha):
    factors = (A1, A2, B1, B2) if order == "later" else (A2, A1, B2, B1)
    state = {f"{QKV}.{name}.weight": factor for name, factor in zip(("a1", "a2", "b1", "b2"), factors, strict=True)}
    if alpha is not None:
        state[f"{QKV}.alpha"] = torch.tensor(alpha)
    wanted = WEIGHT + (1 if alpha is None else alpha / 4) * (WEIGHT @ A1 @ A2 + B1 @ B2)
    torch.testing.assert_close(changed(state, WEIGHT), wanted, atol=1e-6, rtol=0)
    report = read_lora(state).report()
    assert (report.kinds, report.ranks) == (("GLoRA",), (4,))


def test_the_two_orders_are_told_apart_on_square_weights_by_the_smaller_inner_width():
    base, weight = "diffusion_model.layers.0.attention.out", WEIGHT[:64]
    wanted = weight + weight @ A1 @ A2 + B1[:64] @ B2
    for factors in ((A1, A2, B1[:64], B2), (A2, A1, B2, B1[:64])):
        state = {f"{base}.{name}.weight": each for name, each in zip(("a1", "a2", "b1", "b2"), factors, strict=True)}
        torch.testing.assert_close(changed(state, weight), wanted, atol=1e-6, rtol=0)


FILES = {
    **ROTATIONS,
    "OFT on the fused matrix": {f"{QKV}.oft_blocks": random(24, 8, 8), f"{QKV}.alpha": torch.tensor(0.5)},
    "OFT with rescale": {f"{QKV}.oft_blocks": random(24, 8, 8), f"{QKV}.rescale": 1 + random(192, 1)},
    "GLoRA": {f"{QKV}.{name}.weight": each for name, each in (("a1", A1), ("a2", A2), ("b1", B1), ("b2", B2))},
}


@pytest.mark.parametrize("naming", NAMINGS)
@pytest.mark.parametrize("name", FILES)
def test_a_file_written_back_in_either_naming_makes_the_same_change(name, naming):
    original = read_lora(FILES[name])
    again = read_lora(NAMINGS[naming](original))
    assert again.report().kinds == original.report().kinds
    torch.testing.assert_close(total(again), total(original), atol=1e-6, rtol=0)


def total(lora):
    """ΔW of the fused matrix from all deltas on it."""
    change = torch.zeros_like(WEIGHT)
    for target, delta in lora.fitted(SHAPES).deltas.items():
        rows = slice(*target.rows(len(WEIGHT)))
        change[rows] += delta.change(WEIGHT[rows])
    return change


def test_a_boft_on_the_fused_matrix_cannot_be_cut_and_says_so():
    with pytest.raises(CheckpointError, match="diffusers' naming.*mixes all rows and cannot be cut; write it in Com"):
        NAMINGS["diffusers"](read_lora({f"{QKV}.oft_blocks": random(2, 24, 8, 8)}))


def test_the_report_names_what_is_read_beside_other_kinds():
    state = FILES["OFT with rescale"] | {f"{TO_K.replace('_0_', '_1_')}.lora_up.weight": random(64, 4)}
    state[f"{TO_K.replace('_0_', '_1_')}.lora_down.weight"] = random(4, 64)
    lora = read_lora(state)
    assert isinstance(lora.deltas[Target("layers.1.attention.qkv.weight", 1)], LowRank)
    first, *_ = lora.report().describe().splitlines()
    assert first.startswith("the state dict: LoRA and OFT (without its rescale, as in ComfyUI), ")


DAMAGED = {
    "a vector": ({f"{TO_K}.oft_blocks": random(64, 28)}, r"shape \(64, 28\), which are no square blocks"),
    "no blocks": ({f"{TO_K}.rescale": random(64, 1)}, "its oft_blocks is missing"),
    "no butterfly": ({f"{TO_K}.oft_blocks": random(5, 8, 8, 8)}, "which make no butterfly"),
    "half a GLoRA": ({f"{TO_K}.a1.weight": A1, f"{TO_K}.a2.weight": A2}, "its b1 is missing"),
    "no products": (
        {f"{TO_K}.{name}.weight": A1 for name in ("a1", "a2", "b1", "b2")},
        r"\(64, 4\) and \(64, 4\) do not make a product",
    ),
    "a DoRA": ({f"{TO_K}.oft_blocks": random(8, 8, 8), f"{TO_K}.dora_scale": random(64, 1)}, "and it holds OFT"),
}


@pytest.mark.parametrize(("state", "words"), DAMAGED.values(), ids=DAMAGED)
def test_tensors_that_make_no_sense_get_a_sentence(state, words):
    with pytest.raises(CheckpointError, match=words):
        read_lora(state)


def test_a_rotation_of_another_height_is_refused():
    with pytest.raises(ValueError, match=r"does not fit this model: .* has shape \[32\], the weight there \[64, 64\]"):
        read_lora({f"{TO_K}.oft_blocks": random(4, 8, 8)}).fitted(SHAPES)
