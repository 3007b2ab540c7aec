"""LoRA files that cannot be used, and the sentences that say why."""

import pytest
import torch
from safetensors.torch import save_file

import loras
import tiny
from lora_changes import BLOCKS, HALF
from zimage_core.checkpoints import CheckpointError, read_lora

REFUSED = {
    "FLUX": ({"lora_unet_double_blocks_0_img_attn_qkv.lora_down.weight": HALF}, "a LoRA for FLUX"),
    "diffusers' FLUX": ({"transformer.single_transformer_blocks.0.attn.to_q.lora_A.weight": HALF}, "for FLUX"),
    "SDXL": ({"lora_unet_input_blocks_4_1_proj_in.lora_down.weight": HALF}, "for Stable Diffusion"),
    "Wan": ({"diffusion_model.blocks.0.cross_attn.k.lora_A.weight": HALF}, "for Wan"),
    "another": ({"layers_0_strange.lora_A.weight": HALF}, r"for another model \(its keys begin with layers_0_strange"),
    "text encoder": ({"lora_te_text_model_encoder_layers_0_mlp_fc1.lora_up.weight": HALF}, "for a text encoder alone"),
}


@pytest.mark.parametrize(("state", "words"), REFUSED.values(), ids=REFUSED)
def test_a_file_of_which_nothing_matches_is_refused_for_what_it_is(state, words, tmp_path):
    save_file(state, tmp_path / "some.safetensors")
    with pytest.raises(CheckpointError, match=rf"some.safetensors is .*{words}.*trained for Z-Image"):
        read_lora(tmp_path / "some.safetensors")


def test_a_file_that_is_no_lora_is_refused_for_what_it_is(tmp_path):
    save_file(tiny.dit().state_dict(), tmp_path / "model.safetensors")
    with pytest.raises(CheckpointError, match="is a Z-Image diffusion model, not a LoRA"):
        read_lora(tmp_path / "model.safetensors")
    (tmp_path / "garbage.safetensors").write_bytes(bytes(range(256)) * 8)
    with pytest.raises(CheckpointError, match=r"garbage.safetensors is not a safetensors file"):
        read_lora(tmp_path / "garbage.safetensors")


Q = "transformer.layers.0.attention.to_q"


DAMAGED = {
    "half is missing": ({Q + loras.A: HALF}, "its up is missing"),
    "no product": ({Q + loras.A: HALF, Q + loras.B: HALF}, r"\(3, 4\) and \(3, 4\) do not make a product"),
    "rank 0": ({Q + loras.A: torch.zeros(0, 64), Q + loras.B: torch.zeros(64, 0)}, "do not make a product"),
    "whole numbers": ({Q + loras.A: HALF.long(), Q + loras.B: HALF.T.contiguous()}, "int64, not fractions"),
    "alpha": ({Q + loras.A: HALF, Q + loras.B: HALF.T.contiguous(), Q + ".alpha": HALF}, "alpha is not a number"),
    "two kinds": ({Q + ".diff": HALF, Q + loras.A: HALF, Q + loras.B: HALF.T}, "LoRA and a full difference at once"),
    "loha": ({Q + ".hada_w1_a": HALF}, "hada_w1_b is missing"),
    "lokr": ({Q + ".lokr_w1": HALF[0], Q + ".lokr_w2": HALF}, "no matrix"),
    "a single number": ({Q + ".diff": torch.tensor(0.5)}, r"shape is \[\], which cannot be cut into 1"),
    "dora": ({Q + loras.A: HALF, Q + loras.B: HALF.T, Q + ".dora_scale": HALF}, "DoRA lengths have shape"),
}


@pytest.mark.parametrize(("state", "words"), DAMAGED.values(), ids=DAMAGED)
def test_tensors_that_make_no_sense_get_a_sentence_with_the_modules_name(state, words):
    with pytest.raises(CheckpointError, match=rf"damaged at transformer.layers.0.attention.to_q: .*{words}"):
        read_lora(state)


def test_an_infinite_alpha_is_named_as_every_number_that_is_not_finite():
    state = {Q + loras.A: HALF, Q + loras.B: HALF.T, Q + ".alpha": torch.tensor(torch.inf)}
    with pytest.raises(CheckpointError, match=r"not finite in transformer.layers.0.attention.to_q.alpha"):
        read_lora(state)


@pytest.mark.parametrize(
    "value", ["nonsense", "[]", '{"transformer.lora_alpha": "8"}', '{"lora_alpha": 1' + "0" * 400 + "}"]
)
def test_damaged_metadata_gets_a_sentence(value):
    with pytest.raises(CheckpointError, match="lora_adapter_metadata is damaged"):
        read_lora(loras.keyed(BLOCKS, str, loras.A, loras.B), {"lora_adapter_metadata": value})
