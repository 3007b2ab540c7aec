"""What ComfyUI's save nodes write of our MODEL, CLIP and VAE comes back bit-equal, round after round."""

import pytest
import torch
from safetensors.torch import load_file, save_file
from saved_parts import embeddings, newest, same, save_node, weights_of, whole_encoder

import tiny
from zimage_core.checkpoints import DIT, TEXT_ENCODER, VAE, inspect

ROUNDS = 3


@pytest.mark.slow
@pytest.mark.parametrize("node", ["CheckpointSave", "CLIPSave"])
def test_a_saved_text_encoder_gives_the_same_features_round_after_round(pack, native, out, node):
    save_file(whole_encoder(), out / "qwen_3_4b.safetensors")
    clip = pack.bridge_text.load_text_encoder(str(out / "qwen_3_4b.safetensors"), None)
    expected = embeddings(clip)
    model = native.ours(pack, out) if node == "CheckpointSave" else None
    for _ in range(ROUNDS):
        inputs = {"clip": clip} if model is None else {"model": model, "clip": clip, "vae": None}
        if model is None:
            save_node(node, **inputs)
        else:
            import comfy.sd

            comfy.sd.save_checkpoint(str(out / "all.safetensors"), model, clip)
        clip = pack.bridge_text.load_text_encoder(newest(out), None)
        assert torch.equal(embeddings(clip), expected)


@pytest.mark.slow
@pytest.mark.parametrize("is_attached", [False, True], ids=["ours", "attached"])
def test_an_all_in_one_checkpoint_of_our_parts_loads_again_bit_equal(pack, native, out, is_attached):
    save_file(whole_encoder(), out / "qwen_3_4b.safetensors")
    save_file(tiny.vae().state_dict(), out / "ae.safetensors")
    parts = {
        "model": native.ours(pack, out),
        "clip": pack.bridge_text.load_text_encoder(str(out / "qwen_3_4b.safetensors"), None),
        "vae": pack.bridge_vae.load_vae(str(out / "ae.safetensors")),
    }
    if is_attached:
        parts["model"] = pack.bridge_attach.attach(native.model())
    networks = {
        "model": lambda part: part.model.diffusion_model,
        "clip": lambda part: part.cond_stage_model.qwen3_4b.transformer,
        "vae": lambda part: part.first_stage_model,
    }
    expected = {name: weights_of(networks[name](part)) for name, part in parts.items()}
    for _ in range(ROUNDS):
        save_node("CheckpointSave", **parts)
        file = newest(out)
        parts = {
            "model": pack.bridge_model.load_model(file),
            "clip": pack.bridge_text.load_text_encoder(file, None),
            "vae": pack.bridge_vae.load_vae(file),
        }
        for name, part in parts.items():
            same(weights_of(networks[name](part)), expected[name])


@pytest.mark.parametrize("node", ["CLIPSave", "CheckpointSave"])
def test_a_saved_nano_text_encoder_reads_prompts_with_nanos_tokenizer_under_any_name(pack, out, node):
    from zimage_core.nano.files import FOLDER, TOKENIZER, file_of

    load = pack.bridge_text.load_text_encoder
    clip = load(str(file_of(TEXT_ENCODER)), FOLDER / TOKENIZER)
    expected = embeddings(clip)
    parts = {"clip": clip}
    if node == "CheckpointSave":
        parts["model"] = pack.bridge_model.load_model(str(file_of(DIT)))
        parts["vae"] = pack.bridge_vae.load_vae(str(file_of(VAE)))
    save_node(node, **parts)
    assert torch.equal(embeddings(load(newest(out), None)), expected)


@pytest.mark.slow
@pytest.mark.parametrize("node", ["ModelSave", "VAESave"])
def test_other_save_nodes_give_the_same_weights_round_after_round(pack, native, out, node):
    save_file(tiny.vae().state_dict(), out / "ae.safetensors")
    part, load, network, name = {
        "ModelSave": (
            native.ours(pack, out), pack.bridge_model.load_model, lambda it: it.model.diffusion_model, "model",
        ),
        "VAESave": (
            pack.bridge_vae.load_vae(str(out / "ae.safetensors")), pack.bridge_vae.load_vae,
            lambda it: it.first_stage_model, "vae",
        ),
    }[node]  # fmt: skip
    expected = weights_of(network(part))
    for _ in range(ROUNDS):
        save_node(node, **{name: part})
        part = load(newest(out))
        same(weights_of(network(part)), expected)


@pytest.mark.slow
def test_int8_models_are_saved_and_loaded_as_they_are(pack, native, out):
    native.ours(pack, out)
    model = pack.bridge_model.load_model(str(out / "z_image.safetensors"), is_int8=True)
    rounds = []
    for _ in range(ROUNDS):
        save_node("ModelSave", model=model)
        rounds.append(load_file(newest(out)))
        same(rounds[-1], rounds[0])
        model = pack.bridge_model.load_model(newest(out))
    assert any(tensor.dtype == torch.int8 for tensor in rounds[0].values())


def test_a_file_without_its_last_layer_keeps_all_the_others_and_inspect_says_so(pack, tmp_path):
    from zimage_core.nano.files import FOLDER, TOKENIZER

    state = load_file(FOLDER / "text_encoder/model.safetensors")
    last = {key.replace("layers.2", "layers.3"): value.clone() for key, value in state.items() if "layers.2" in key}
    save_file(state, tmp_path / "three.safetensors")
    save_file(state | last, tmp_path / "four.safetensors")
    load = pack.bridge_text.load_text_encoder
    whole, without = (load(str(tmp_path / f"{n}.safetensors"), FOLDER / TOKENIZER) for n in ("four", "three"))
    assert torch.equal(embeddings(whole), embeddings(without))
    assert "has 3 of its 4 layers: all that run" in inspect(tmp_path / "three.safetensors").describe()
    save_file({key: value for key, value in state.items() if "layers.2" not in key}, tmp_path / "two.safetensors")
    with pytest.raises(ValueError, match=r"two.safetensors has 2 layers, but this text encoder has 4 \(3 where"):
        load(str(tmp_path / "two.safetensors"), None)
    assert "has 2 layers of 4, a wrong number" in inspect(tmp_path / "two.safetensors").describe()


def test_too_few_layers_are_a_sentence(pack, tmp_path):
    kept = {key: value for key, value in whole_encoder().items() if "layers." not in key or "layers.0" in key}
    kept.pop("model.norm.weight")
    save_file(kept, tmp_path / "shallow.safetensors")
    with pytest.raises(ValueError, match="shallow.safetensors has 1 layers to run, too few"):
        pack.bridge_text.load_text_encoder(str(tmp_path / "shallow.safetensors"), None)
