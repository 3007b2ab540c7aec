"""The inspecting node: an answer for every kind of file, in words, and a dropdown that is never empty."""

import json
import struct
from pathlib import Path
from shutil import copyfile

import pytest
import torch
from safetensors.torch import save_file

import loras
import tiny
from zimage_core.checkpoints import DIT, DIT_DIFFUSERS
from zimage_core.merging import Merge, Method, merge_metadata, parse_source
from zimage_core.nano.files import file_of


@pytest.fixture(scope="module")
def models(comfy, tmp_path_factory):
    """A models folder of this module's own."""
    import folder_paths

    place = tmp_path_factory.mktemp("inspected")
    for folder in ("diffusion_models", "loras", "vae"):
        (place / folder).mkdir()
        folder_paths.add_model_folder_path(folder, str(place / folder), is_default=True)
    yield place
    for folder in ("diffusion_models", "loras", "vae"):
        folder_paths.folder_names_and_paths[folder][0].remove(str(place / folder))


@pytest.fixture(scope="module")
def inspect(pack):
    def call(choice):
        output = pack.groups[6].ZImageInspectFile.execute(choice)
        assert output.ui.as_dict()["text"] == (output.result[0],)
        return output.result[0].splitlines()

    return call


@pytest.mark.slow
def test_a_model_file_is_told_with_its_folder_and_size(models, inspect):
    file = models / "diffusion_models" / "z_image_turbo_small.safetensors"
    save_file(DIT_DIFFUSERS.to_file(tiny.dit().state_dict()), file)
    lines = inspect("diffusion_models/z_image_turbo_small.safetensors")
    assert lines[0] == "z_image_turbo_small.safetensors is a Z-Image diffusion model"
    assert "Layout: diffusers" in lines
    assert "Folder: models/diffusion_models" in lines
    assert f"Size: {file.stat().st_size:,} bytes, complete" in lines


def test_a_broken_off_download_is_told_from_its_header_alone(models, inspect):
    header = {"x_embedder.weight": {"dtype": "BF16", "shape": [3840, 64], "data_offsets": [0, 491520]}}
    raw = json.dumps(header).encode()
    (models / "vae" / "broken.safetensors").write_bytes(struct.pack("<Q", len(raw)) + raw + bytes(100))
    lines = inspect("vae/broken.safetensors")
    size = 8 + len(raw)
    assert f"Size: INCOMPLETE, {size + 100:,} of {size + 491520:,} bytes are there; download it again" in lines


def test_a_lora_is_told_with_its_trainer_rank_and_alpha(models, inspect):
    state = loras.keyed(loras.pairs(tiny.DIT), loras.underscored("lora_unet_"), loras.DOWN, loras.UP, 2.0)
    save_file({**state, "lora_unet_strange.lora_up.weight": torch.zeros(4, 4)}, models / "loras" / "style.safetensors")
    lines = inspect("loras/style.safetensors")
    assert lines[0] == "style.safetensors is a LoRA"
    assert "style.safetensors: LoRA, by musubi-tuner or sd-scripts (kohya)" in lines
    assert f"Matched: {len(loras.modules(tiny.DIT))}, rank 4, alpha 2" in lines
    assert "Not matched: 1 (lora_unet_strange)" in lines


def test_a_merged_file_tells_of_what_it_was_made(models, inspect):
    made = Merge(sources=(parse_source("one.safetensors:0.5"),), base=Path("base.safetensors"), method=Method())
    state = tiny.dit().state_dict()
    save_file(state, models / "diffusion_models" / "merged.safetensors", merge_metadata(made, "merged"))
    lines = inspect("diffusion_models/merged.safetensors")
    assert lines[-2:] == ["Merged over base.safetensors: Weighted sum", "Merged in: one.safetensors, weight 0.5"]


def test_another_models_lora_and_a_broken_file_are_answers_too(models, inspect):
    save_file(
        {"lora_unet_double_blocks_0_img_attn_qkv.lora_down.weight": torch.zeros(4, 4)}, models / "loras/f.safetensors"
    )
    lines = inspect("loras/f.safetensors")
    assert "f.safetensors is a LoRA for FLUX" in lines[-1]
    assert not any("load it with" in line for line in lines)
    oft = {"diffusion_model.layers.0.attention.to_k.oft_blocks": torch.zeros(8, 8, 8)}
    save_file(oft, models / "loras" / "oft.safetensors")
    lines = inspect("loras/oft.safetensors")
    assert lines[0] == "oft.safetensors is an OFT adapter"
    assert "oft.safetensors: OFT, by ai-toolkit" in lines
    (models / "loras" / "garbage.safetensors").write_bytes(bytes(range(256)) * 8)
    assert inspect("loras/garbage.safetensors")[0].startswith("garbage.safetensors is not a safetensors file")
    (models / "vae" / "old.pt").write_bytes(b"pickle")
    assert "pickles never" in inspect("vae/old.pt")[0]


@pytest.mark.parametrize("part", ["diffusion model", "text encoder", "autoencoder (VAE)"])
def test_the_built_in_files_come_last_and_say_what_they_are(pack, models, inspect, part):
    choices = pack.bridge_files.all_choices()
    assert f"nano (built in)/{part}" in choices[-4:]
    assert inspect(f"nano (built in)/{part}")[0].endswith(f"is a Z-Image {part}")


def test_a_saved_nano_is_nano_with_its_settings_and_picture_size(pack, models):
    """In a picture's metadata and for the page."""
    inspection = pack.groups[6].inspection
    copyfile(file_of(DIT), models / "diffusion_models" / "z_image_copy.safetensors")
    saved, built_in = (inspection.origin(name) for name in ("z_image_copy.safetensors", "nano (built in)"))
    assert [each["release"].partition(";")[0] for each in (saved, built_in)] == ["nano (20 steps, CFG 3)"] * 2
    sizes = (inspection.native_size(*each) for each in [("x", saved["release"]), ("nano (built in)", "")])
    assert [each["native"]["side"] for each in sizes] == [64, 64]


def test_an_empty_users_dropdown_has_the_built_in_files_and_gguf_folders_join_when_listed(
    pack, comfy, monkeypatch, tmp_path
):
    import folder_paths

    monkeypatch.setattr(folder_paths, "folder_names_and_paths", {})
    monkeypatch.setattr(folder_paths, "filename_list_cache", {})
    options = pack.groups[6].ZImageInspectFile.define_schema().inputs[0]
    assert options.default == options.options[0] == "nano (built in)/diffusion model"
    (tmp_path / "z_image.gguf").write_bytes(b"")
    folder_paths.folder_names_and_paths["unet_gguf"] = ([str(tmp_path)], {".gguf"})
    assert pack.bridge_files.all_choices()[0] == "unet_gguf/z_image.gguf"


def test_a_replaced_file_is_looked_at_again(pack, models):
    node, file = pack.groups[6].ZImageInspectFile, models / "vae" / "again.safetensors"
    save_file({"a": torch.zeros(1)}, file)
    before = node.fingerprint_inputs("vae/again.safetensors")
    assert node.fingerprint_inputs("vae/again.safetensors") == before
    save_file({"a": torch.zeros(2)}, file)
    assert node.fingerprint_inputs("vae/again.safetensors") != before
