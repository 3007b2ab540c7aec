"""Dropdowns find Z-Image's parts wherever artists keep them, and what is found loads."""

import json

import pytest
import torch
from safetensors.torch import save_file

import ggufs
import tiny
from zimage_core.checkpoints import DIT, DIT_DIFFUSERS, TEXT_ENCODER, VAE

PLACES = ("diffusion_models", "text_encoders", "vae", "checkpoints", "diffusers")


@pytest.fixture(scope="module")
def models(comfy, tmp_path_factory):
    """Model folders of this module's own, with the same transformer in every form."""
    import folder_paths

    place = tmp_path_factory.mktemp("listed")
    for folder in PLACES:
        (place / folder).mkdir()
        folder_paths.add_model_folder_path(folder, str(place / folder), is_default=True)
    state = tiny.dit().state_dict()
    save_file(state, place / "diffusion_models/plain.safetensors")
    (place / "diffusion_models/sub").mkdir()
    ggufs.write(place / "diffusion_models/sub/packed.gguf", ggufs.make(state, lambda name: "F32").tensors)
    whole = {f"model.diffusion_model.{key}": tensor for key, tensor in state.items()}
    whole |= {f"first_stage_model.{key}": tensor for key, tensor in tiny.vae().state_dict().items()}
    save_file(whole, place / "checkpoints/all in one.safetensors")
    pipeline = place / "diffusers/Z-Image-Turbo"
    (pipeline / "transformer").mkdir(parents=True)
    (pipeline / "model_index.json").write_text(json.dumps({"_class_name": "ZImagePipeline"}))
    save_file(DIT_DIFFUSERS.to_file(state), pipeline / "transformer/diffusion_pytorch_model.safetensors")
    yield place
    for folder in PLACES:
        folder_paths.folder_names_and_paths[folder][0].remove(str(place / folder))


FORMS = (
    "plain.safetensors",
    "sub/packed.gguf",
    "checkpoints/all in one.safetensors",
    "diffusers/Z-Image-Turbo",
)


@pytest.mark.parametrize("name", FORMS)
def test_every_form_is_listed_and_loads_to_the_same_weights(pack, models, name):
    assert name in pack.bridge_files.choices(DIT)
    model = pack.bridge_model.load_model(pack.bridge_files.path_of(DIT, name), torch.float32)
    found, expected = model.model.diffusion_model.state_dict(), tiny.dit().state_dict()
    assert found.keys() == expected.keys()
    for key, tensor in expected.items():
        torch.testing.assert_close(found[key], tensor, atol=0, rtol=0, msg=key)


def test_only_folders_that_hold_the_part_are_listed(pack, models):
    assert "diffusers/Z-Image-Turbo" not in pack.bridge_files.choices(VAE)
    assert "checkpoints/all in one.safetensors" in pack.bridge_files.choices(VAE)
    assert "sub/packed.gguf" not in pack.bridge_files.choices(TEXT_ENCODER)


def test_a_file_that_is_not_there_is_refused(pack, models):
    for name in ("gone.safetensors", "checkpoints/gone.safetensors", "diffusers/Gone", "../../etc/passwd"):
        with pytest.raises(FileNotFoundError):
            pack.bridge_files.path_of(DIT, name)


def test_a_replaced_file_in_a_diffusers_folder_is_noticed(pack, models):
    name = "diffusers/Z-Image-Turbo"
    before = pack.bridge_files.fingerprint(DIT, name)
    assert pack.bridge_files.fingerprint(DIT, name) == before
    (models / "diffusers/Z-Image-Turbo/transformer/diffusion_pytorch_model.safetensors").touch()
    assert pack.bridge_files.fingerprint(DIT, name) != before


@pytest.mark.parametrize("is_linked_whole", [False, True], ids=["links to files", "a link to the folder"])
def test_a_pipeline_of_links_as_a_hub_caches_it_is_listed_and_loads(pack, models, tmp_path, is_linked_whole):
    """snapshots/<revision>/… are links to blobs/<hash>, which have no file endings."""
    whole = models / "diffusers/Z-Image-Turbo"
    cache = tmp_path / "cached" if is_linked_whole else models / "diffusers/models--Tongyi-MAI--Z-Image-Turbo"
    snapshot, blobs = cache / "snapshots/f332072", cache / "blobs"
    (snapshot / "transformer").mkdir(parents=True)
    blobs.mkdir()
    for index, name in enumerate(("model_index.json", "transformer/diffusion_pytorch_model.safetensors")):
        (blobs / f"{index:064x}").write_bytes((whole / name).read_bytes())
        (snapshot / name).symlink_to(blobs / f"{index:064x}")
    (snapshot / "transformer/config.json").symlink_to(blobs / "not downloaded yet")
    (cache / "loop").symlink_to(cache)
    if is_linked_whole:
        (models / "diffusers/linked").symlink_to(snapshot)
    name = "diffusers/" + ("linked" if is_linked_whole else "models--Tongyi-MAI--Z-Image-Turbo/snapshots/f332072")
    assert pack.bridge_files.choices(DIT).count(name) == 1
    assert pack.bridge_files.fingerprint(DIT, name)
    model = pack.bridge_model.load_model(pack.bridge_files.path_of(DIT, name), torch.float32)
    found, expected = model.model.diffusion_model.state_dict(), tiny.dit().state_dict()
    assert all(torch.equal(found[key], expected[key]) for key in expected)
