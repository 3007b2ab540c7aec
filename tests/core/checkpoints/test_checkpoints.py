"""Files into networks: every layout and prefix, both directions, and what is refused."""

import json

import pytest
import torch
from safetensors.torch import load_file, save_file

import tiny
from zimage_core.checkpoints import (
    DIT,
    DIT_DIFFUSERS,
    TEXT_ENCODER,
    VAE,
    VAE_DIFFUSERS,
    CheckpointError,
    load_dit,
    load_text_encoder,
    load_vae,
)
from zimage_core.config import BASE_DIT, FLUX_VAE, QWEN3_4B, DiTConfig, VAEConfig
from zimage_core.model import S3DiT
from zimage_core.text import Qwen3
from zimage_core.vae import Autoencoder

TEXT_LAST_LAYER = {
    key.replace("layers.1", "layers.2"): torch.zeros_like(tensor)
    for key, tensor in tiny.text_encoder().state_dict().items()
    if "layers.1" in key
}


def text_file():
    """A text encoder as published: all layers, final norm and head."""
    return {
        **tiny.text_encoder().state_dict(),
        **TEXT_LAST_LAYER,
        "model.norm.weight": torch.ones(48),
        "lm_head.weight": torch.zeros(640, 48),
    }


def same(network, other):
    state, expected = network.state_dict(), other.state_dict()
    return state.keys() == expected.keys() and all(torch.equal(state[key], expected[key]) for key in expected)


@pytest.mark.slow
@pytest.mark.parametrize("prefix", ["model.diffusion_model.", "diffusion_model.", "model.", "transformer.", ""])
@pytest.mark.parametrize("layout", ["single file", "diffusers"])
def test_a_transformer_loads_from_every_prefix_and_layout(prefix, layout):
    original = tiny.dit()
    state = original.state_dict()
    if layout == "diffusers":
        state = DIT_DIFFUSERS.to_file(state)
    assert same(load_dit({prefix + key: tensor for key, tensor in state.items()}), original)


def test_parts_are_found_inside_an_all_in_one_checkpoint():
    parts = {
        "model.diffusion_model.": tiny.dit().state_dict(),
        "text_encoders.qwen3_4b.transformer.": text_file(),
        "vae.": tiny.vae().state_dict(),
    }
    checkpoint = {prefix + key: tensor for prefix, state in parts.items() for key, tensor in state.items()}
    assert same(load_dit(checkpoint), tiny.dit())
    assert same(load_text_encoder(checkpoint), tiny.text_encoder())
    assert same(load_vae(checkpoint), tiny.vae())


@pytest.mark.slow
@pytest.mark.parametrize("prefix", ["", "vae.", "first_stage_model."])
@pytest.mark.parametrize("layout", ["single file", "diffusers"])
def test_an_autoencoder_loads_from_every_prefix_and_layout(prefix, layout):
    state = tiny.vae().state_dict()
    if layout == "diffusers":
        state = VAE_DIFFUSERS.to_file(state)
        assert state["decoder.mid_block.attentions.0.to_q.weight"].ndim == 2
    assert same(load_vae({prefix + key: tensor for key, tensor in state.items()}), tiny.vae())


@pytest.mark.parametrize(("layout", "network"), [(DIT_DIFFUSERS, tiny.dit), (VAE_DIFFUSERS, tiny.vae)])
def test_layouts_translate_there_and_back_without_loss(layout, network):
    ours = network().state_dict()
    back = layout.to_model(layout.to_file(ours))
    assert back.keys() == ours.keys()
    assert all(torch.equal(back[key], ours[key]) for key in ours)


def test_published_tensor_counts_and_parameter_counts_are_met():
    """Numbers of the released files: 453 and 521 tensors, 6 154 908 736 parameters; the FLUX VAE has 244."""
    dit = S3DiT(BASE_DIT, device="meta").state_dict()
    assert len(dit) == 453
    assert sum(tensor.numel() for tensor in dit.values()) == 6_154_908_736
    vae = Autoencoder(FLUX_VAE, device="meta").state_dict()
    assert (len(vae), sum(tensor.numel() for tensor in vae.values())) == (244, 83_819_683)
    text = Qwen3(QWEN3_4B, device="meta").state_dict()
    assert len(text) == 35 * 11 + 1


def test_the_diffusers_key_set_is_that_of_the_released_turbo():
    import hashlib

    small = {key: torch.zeros(3, 1) for key in S3DiT(BASE_DIT, device="meta").state_dict()}
    keys = sorted(DIT_DIFFUSERS.to_file(small))
    assert len(keys) == 521
    digest = hashlib.sha256(("\n".join(keys) + "\n").encode()).hexdigest()
    assert digest.startswith("3a9216f208c1873b")


@pytest.mark.parametrize(
    "config",
    [
        tiny.DIT,
        BASE_DIT,
        DiTConfig(
            dim=96,
            n_layers=3,
            n_refiner_layers=1,
            n_heads=3,
            ffn_dim=200,
            cap_feat_dim=40,
            time_hidden_dim=512,
            adaln_dim=48,
        ),
    ],
)
def test_a_transformers_config_is_read_back_from_its_shapes(config):
    assert DIT.read_config(S3DiT(config, device="meta").state_dict()) == config


def test_text_and_vae_configs_are_read_back_from_shapes():
    assert TEXT_ENCODER.read_config(text_file()) == tiny.TEXT
    for config in (
        tiny.VAE,
        FLUX_VAE,
        VAEConfig(encoder_widths=(8, 16, 16, 24), decoder_widths=(24, 24, 48, 48), encoder_blocks=1, decoder_blocks=2),
    ):
        assert VAE.read_config(Autoencoder(config, device="meta").state_dict()) == config


@pytest.mark.slow
def test_a_file_and_its_shards_load_alike(tmp_path):
    state = DIT_DIFFUSERS.to_file(tiny.dit().state_dict())
    save_file(state, tmp_path / "whole.safetensors")
    shards = {key: f"part-0000{index % 3 + 1}-of-00003.safetensors" for index, key in enumerate(sorted(state))}
    folder = tmp_path / "transformer"
    folder.mkdir()
    for name in set(shards.values()):
        save_file({key: state[key] for key in state if shards[key] == name}, folder / name)
    (folder / "diffusion_pytorch_model.safetensors.index.json").write_text(json.dumps({"weight_map": shards}))
    assert same(load_dit(tmp_path / "whole.safetensors"), tiny.dit())
    assert same(load_dit(folder), tiny.dit())
    assert same(load_dit(tmp_path), tiny.dit())  # a diffusers folder is entered by itself
    (folder / "part-00002-of-00003.safetensors").unlink()
    with pytest.raises(CheckpointError, match="part-00002-of-00003"):
        load_dit(folder)


def test_loading_shares_the_files_memory_and_keeps_its_type(tmp_path):
    state = {key: tensor.bfloat16() for key, tensor in tiny.dit().state_dict().items()}
    save_file(state, tmp_path / "bf16.safetensors")
    mapped = load_file(tmp_path / "bf16.safetensors")
    model = load_dit(mapped)
    assert model.layers[0].attention.qkv.weight.data_ptr() == mapped["layers.0.attention.qkv.weight"].data_ptr()
    assert {parameter.dtype for parameter in model.parameters()} == {torch.bfloat16}
    assert {parameter.dtype for parameter in load_dit(mapped, torch.float32).parameters()} == {torch.float32}


def test_a_stray_norm_is_ignored_and_a_missing_or_unknown_tensor_is_named(tmp_path):
    state = dict(tiny.dit().state_dict())
    assert same(load_dit({**state, "norm_final.weight": torch.ones(64)}), tiny.dit())
    missing = {key: tensor for key, tensor in state.items() if key != "layers.1.ffn_norm2.weight"}
    with pytest.raises(CheckpointError, match=r"1 missing \(layers.1.ffn_norm2.weight\)"):
        load_dit(missing)
    with pytest.raises(CheckpointError, match=r"1 unknown \(surprise\)"):
        load_dit({**state, "surprise": torch.ones(1)})
    with pytest.raises(CheckpointError, match=r"1 of unexpected shape \(x_pad_token\)"):
        load_dit({**state, "x_pad_token": torch.ones(1, 65)})


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        (["double_blocks.0.img_attn.qkv.weight"], "FLUX"),
        (["model.diffusion_model.input_blocks.0.0.weight"], "Stable Diffusion"),
        (["layers.0.attention.to_q.lora_A.weight"], "LoRA"),
        (["control_all_x_embedder.2-1.weight"], "ControlNet"),
        (["text_model.encoder.layers.0.mlp.fc1.weight"], "CLIP"),
        (["something.else"], "unknown model"),
    ],
)
def test_a_wrong_file_is_named_for_what_it_is(keys, words):
    with pytest.raises(CheckpointError, match=words):
        load_dit({key: torch.zeros(1) for key in keys})


def test_a_part_in_the_wrong_loader_is_told_where_it_belongs():
    with pytest.raises(CheckpointError, match="text encoder.*belongs in models/text_encoders"):
        load_dit(text_file())
    with pytest.raises(CheckpointError, match="diffusion model.*belongs in models/diffusion_models"):
        load_vae(tiny.dit().state_dict())


def test_bad_files_get_a_sentence(tmp_path):
    good = tmp_path / "good.safetensors"
    save_file(tiny.dit().state_dict(), good)
    content = good.read_bytes()
    cases = {
        "short.safetensors": (content[: len(content) // 2], "incomplete"),
        "stub.safetensors": (b"\x05", "stopped early"),
        "empty.safetensors": (b"", "stopped early"),
        "html.safetensors": (b"<!DOCTYPE html><html>not found</html>", "stopped early"),
        "header.safetensors": (b"\x10\0\0\0\0\0\0\0" + b"{not json at all", "damaged"),
        "model.ckpt": (content, "not a safetensors file"),
    }
    for name, (data, words) in cases.items():
        (tmp_path / name).write_bytes(data)
        with pytest.raises(CheckpointError, match=words) as raised:
            load_dit(tmp_path / name)
        assert name in str(raised.value)
    with pytest.raises(FileNotFoundError, match="no file at"):
        load_dit(tmp_path / "absent.safetensors")


def test_a_tensor_with_nothing_in_it_is_named():
    """Empty tensors are sound to the format; no network is built around one."""
    state = {**tiny.text_encoder().state_dict(), **TEXT_LAST_LAYER}
    first = "model.layers.0.self_attn.q_proj.weight"
    with pytest.raises(CheckpointError, match=f"has nothing in its tensor {first}"):
        load_text_encoder({**state, first: torch.zeros(0, 48)})
    with pytest.raises(CheckpointError, match="0 query heads"):
        load_text_encoder({**state, first: torch.zeros(1, 48)})


def test_the_text_encoders_unused_layer_and_head_are_left_behind():
    loaded = load_text_encoder(text_file())
    assert loaded.config.n_layers_run == 2
    assert not any("layers.2" in key or key == "model.norm.weight" for key in loaded.state_dict())
