"""LoRA files written back in ComfyUI's and in diffusers' names."""

import pytest
import torch
from safetensors.torch import load_file

import loras
import tiny
from lora_changes import BLOCKS, DRAWN, changes, random, same
from zimage_core.checkpoints import CheckpointError, read_lora, save_lora
from zimage_core.checkpoints.lora.write import comfyui_state, diffusers_state

NAMINGS = {"ComfyUI": comfyui_state, "diffusers": diffusers_state}


FILES = {
    **{name: state for name, (state, *_) in loras.plain_families(DRAWN).items()},
    "fused": loras.keyed(loras.fused(tiny.DIT, 3)[0], lambda name: "diffusion_model." + name, loras.A, loras.B, 3.0),
    "converted": loras.keyed(
        loras.block_diagonal(tiny.DIT, BLOCKS), loras.underscored("lora_unet_"), loras.DOWN, loras.UP, 3.0
    ),
    "merged": loras.merged_feed_forward(BLOCKS)[0],
    "two scales": {
        **loras.keyed(BLOCKS, lambda name: "transformer." + name, loras.A, loras.B),
        "transformer.layers.0.attention.to_q.alpha": torch.tensor(3.0),
    },
    "queries alone": loras.keyed(
        {name: pair for name, pair in BLOCKS.items() if name.endswith("to_q")}, str, loras.A, loras.B
    ),
    "lokr": {
        "diffusion_model.layers.0.attention.to_q.lokr_w1": random(8, 8),
        "diffusion_model.layers.0.attention.to_q.lokr_w2_a": random(8, 2),
        "diffusion_model.layers.0.attention.to_q.lokr_w2_b": random(2, 8),
        "diffusion_model.layers.0.attention.to_q.alpha": torch.tensor(1.0),
    },
    "lokr, fused": {
        "diffusion_model.layers.0.attention.qkv.lokr_w1": random(12, 8),
        "diffusion_model.layers.0.attention.qkv.lokr_w2": random(16, 8),
        "diffusion_model.layers.1.attention.qkv.lokr_w1": random(2, 8),
        "diffusion_model.layers.1.attention.qkv.lokr_w2": random(96, 8),
    },
    "loha, fused": {
        f"diffusion_model.layers.0.attention.qkv.hada_{name}": tensor
        for name, tensor in {
            "w1_a": random(192, 4), "w1_b": random(4, 64), "w2_a": random(192, 4, seed=1), "w2_b": random(4, 64, seed=1)
        }.items()
    },
    "full": {
        "diffusion_model.layers.0.attention.qkv.diff": random(192, 64),
        "cap_embedder.1.diff_b": random(64, 1)[:, 0],
    },
    "dora, fused": {
        "diffusion_model.layers.0.attention.qkv.lora_A.weight": random(4, 64),
        "diffusion_model.layers.0.attention.qkv.lora_B.weight": random(192, 4),
        "diffusion_model.layers.0.attention.qkv.dora_scale": 1 + random(192, 1).abs(),
    },
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("naming", NAMINGS)
@pytest.mark.parametrize("name", FILES)
def test_a_file_written_back_in_either_naming_makes_the_same_change(name, naming, tmp_path):
    original = read_lora(FILES[name])
    save_lora(original, tmp_path / "written.safetensors", naming)
    written = load_file(tmp_path / "written.safetensors")
    prefix = "diffusion_model." if naming == "ComfyUI" else "transformer."
    assert all(key.startswith(prefix) for key in written)
    same(changes(read_lora(tmp_path / "written.safetensors")), changes(original))
    back = read_lora(NAMINGS["diffusers" if naming == "ComfyUI" else "ComfyUI"](read_lora(written)))
    same(changes(back), changes(original))


def test_written_files_bear_the_published_names():
    whole, apart = loras.fused(tiny.DIT, 3)
    lora = read_lora(loras.keyed(apart, lambda name: "transformer." + name, loras.A, loras.B))
    native, diffusers = comfyui_state(lora), diffusers_state(lora)
    assert native.keys() == loras.keyed(whole, lambda name: "diffusion_model." + name, loras.A, loras.B).keys()
    assert diffusers.keys() == loras.keyed(apart, lambda name: "transformer." + name, loras.A, loras.B).keys()
    # the three had their directions in common, so the fused matrix has the same few
    assert native["diffusion_model.layers.0.attention.qkv.lora_A.weight"].shape == (loras.RANK, 64)


def test_parts_with_directions_of_their_own_are_written_with_three_times_the_rank_and_cut_back():
    lora = read_lora(loras.keyed(BLOCKS, lambda name: "transformer." + name, loras.A, loras.B))
    native = comfyui_state(lora)
    assert native["diffusion_model.layers.0.attention.qkv.lora_A.weight"].shape == (3 * loras.RANK, 64)
    again = diffusers_state(read_lora(native))
    assert all(torch.equal(again["transformer." + name + loras.B], pair.up) for name, pair in BLOCKS.items())
    assert all(torch.equal(again["transformer." + name + loras.A], pair.down) for name, pair in BLOCKS.items())


def test_16_bit_files_are_written_back_in_16_bits_where_that_loses_nothing():
    half = {name: loras.Pair(pair.up.bfloat16(), pair.down.bfloat16()) for name, pair in BLOCKS.items()}
    exact = read_lora(loras.keyed(half, str, loras.A, loras.B, alpha=2.0))
    assert {tensor.dtype for tensor in diffusers_state(exact).values()} == {torch.bfloat16}
    rounded = read_lora(loras.keyed(half, str, loras.A, loras.B, alpha=3.3))
    assert {tensor.dtype for tensor in diffusers_state(rounded).values()} == {torch.float32}
    same(changes(read_lora(diffusers_state(rounded))), changes(rounded))


def test_a_dora_by_columns_on_the_fused_matrix_cannot_be_cut_and_says_so():
    state = {
        "diffusion_model.layers.0.attention.qkv.lora_A.weight": random(4, 64),
        "diffusion_model.layers.0.attention.qkv.lora_B.weight": random(192, 4),
        "diffusion_model.layers.0.attention.qkv.dora_scale": 1 + random(1, 64).abs(),
    }
    with pytest.raises(CheckpointError, match="cannot be written in diffusers' naming.*write it in ComfyUI's"):
        diffusers_state(read_lora(state))
