"""Fun ControlNets on the canvas: memory, loading, other nodes beside them, and bad input."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import save_file

from controlled_pictures import MASK, PICTURES, draw, picture, same


@pytest.mark.slow
def test_the_sampler_loads_and_counts_the_network(native, deep, lite, steer):
    from comfy import model_management

    steered = steer(deep.ours, lite.ours, image=picture(2))
    assert steered.model_patches_models() == [lite.ours]
    assert lite.ours.model_size() == sum(each.nbytes for each in lite.ours.model.state_dict().values())
    model_management.unload_all_models()
    draw(native, steered)
    assert any(each.model is lite.ours.model for each in model_management.loaded_models())
    idle = steer(deep.ours, lite.ours, image=picture(2), strength=0.0)
    assert idle.model_patches_models() == []


def test_pictures_are_encoded_and_embedded_once(native, deep, lite, steer, vae, monkeypatch):
    encoded, embedded = [], []
    encode = vae.encode
    monkeypatch.setattr(vae, "encode", lambda pixels: encoded.append(tuple(pixels.shape)) or encode(pixels))
    hook = lite.ours.model.control_x_embedder.register_forward_hook(lambda *_: embedded.append(1))
    draw(native, steer(deep.ours, lite.ours, **PICTURES["both"]), steps=3, cfg=3.0, captions=(17, 20))
    hook.remove()
    assert encoded == [(1, 64, 64, 3)] * 2
    assert len(embedded) == 1


def test_a_picture_of_another_size_is_encoded_before_the_models_are_loaded(native, deep, lite, steer, vae, monkeypatch):
    from comfy import model_management

    steered = steer(deep.ours, lite.ours, image=picture(2, size=100))
    events = []
    encode, load = vae.encode, model_management.load_models_gpu
    monkeypatch.setattr(vae, "encode", lambda pixels: events.append(tuple(pixels.shape)) or encode(pixels))

    def loading(models, *rest, **named):
        events.append("load" if steered in models else "other")
        return load(models, *rest, **named)

    monkeypatch.setattr(model_management, "load_models_gpu", loading)
    draw(native, steered, steps=2)
    assert [event for event in events if event != "other"] == [(1, 64, 64, 3), "load"]


def test_an_odd_latent_is_steered_too(native, deep, lite, steer, calls):
    steered = steer(deep.ours, lite.ours, image=picture(2, size=72))
    drawn = draw(native, steered, size=(7, 9))
    assert drawn.shape == (1, 16, 7, 9)
    assert (drawn - draw(native, deep.ours, size=(7, 9))).abs().max() > 0.01
    assert calls[0].shape[1] == 32 + 32  # 4x5 patches and their pads beside the caption


def test_a_tiled_upscaler_that_crops_comfyuis_patch_crops_ours(native, deep, lite, steer):
    """Ultimate SD Upscale looks for the class by name and calls `__init__` again with the crop of a tile."""
    steered = steer(deep.ours, lite.ours, image=picture(2, size=128), computation="diffusers")
    (patch,) = [
        patch
        for patches in steered.model_options["transformer_options"]["patches"].values()
        for patch in patches
        if type(patch).__name__ == "ZImageControlPatch"
    ]
    assert patch.encoded_image_size == (128, 128)
    assert patch.encoded_image.shape == (1, 33, 16, 16)
    tile = patch.image[:, 32:96, 64:128]
    patch.__init__(
        patch.model_patch, patch.vae, tile, patch.strength, inpaint_image=patch.inpaint_image, mask=patch.mask
    )
    expected = steer(deep.ours, lite.ours, image=tile, computation="diffusers")
    assert torch.equal(draw(native, steered), draw(native, expected))


def test_files_are_found_in_both_folders_and_known_by_their_state(comfy, pack, bridge, tmp_path):
    import folder_paths

    for folder, name, choice in (
        ("model_patches", "one.safetensors", "one.safetensors"),
        ("controlnet", "two.safetensors", "controlnet/two.safetensors"),
    ):
        file = tmp_path / folder / name
        file.parent.mkdir()
        folder_paths.add_model_folder_path(folder, str(file.parent))
        save_file({"x": torch.zeros(1)}, file)
        assert choice in pack.bridge_files.choices(pack.core_networks.CONTROL)
        assert pack.bridge_files.path_of(pack.core_networks.CONTROL, choice) == str(file)
        before = bridge.nodes.ZImageControlNetLoader.fingerprint_inputs(choice)
        save_file({"x": torch.zeros(9)}, file)
        assert bridge.nodes.ZImageControlNetLoader.fingerprint_inputs(choice) != before


BAD = {
    "nothing to look at": ({}, "connect a control picture to 'image'"),
    "a mask alone": ({"image": picture(2), "mask": MASK}, "'mask' is connected without 'inpaint_image'"),
    "no mask": ({"inpaint_image": picture(2)}, "'inpaint_image' is connected without 'mask'"),
    "batches": (
        {"image": picture(2, count=2), "inpaint_image": picture(2, count=3), "mask": MASK},
        "2 control pictures, 3 pictures to repaint and 1 masks",
    ),
}


@pytest.mark.parametrize(("inputs", "sentence"), BAD.values(), ids=BAD)
def test_pictures_that_make_no_sense_are_answered(deep, lite, steer, inputs, sentence):
    with pytest.raises(ValueError, match=sentence):
        steer(deep.ours, lite.ours, **inputs)


def test_repainting_with_a_file_that_cannot_is_answered(deep, patches, steer):
    with pytest.raises(ValueError, match=r"reads 16 channels, as version 1\.0 does, and cannot repaint"):
        steer(deep.ours, patches("1.0").ours, **PICTURES["repaint"])


def test_a_stock_model_is_sent_to_attach(deep, lite, steer):
    with pytest.raises(ValueError, match="Put Z-Image Attach before it"):
        steer(deep.native, lite.ours, image=picture(2))


def test_another_model_is_not_sent_to_attach(deep, lite, steer, monkeypatch):
    another = deep.native.clone()
    monkeypatch.setattr(another, "get_model_object", lambda name: torch.nn.Linear(1, 1))
    with pytest.raises(ValueError, match="not a Z-Image diffusion model: it has no x_embedder"):
        steer(another, lite.ours, image=picture(2))


def test_another_patch_width_or_vae_is_answered(deep, lite, steer, pack):
    other = SimpleNamespace(model=torch.nn.Linear(1, 1))
    with pytest.raises(ValueError, match="is a Linear, not a Z-Image ControlNet"):
        steer(deep.ours, other, image=picture(2))
    nano = pack.bridge_model.load_model(pack.bridge_files.path_of(pack.core_networks.DIT, pack.bridge_files.BUILT_IN))
    with pytest.raises(ValueError, match="made for a model 256 wide with 8 heads, but the model here is 192 wide"):
        steer(nano, lite.ours, image=picture(2))
    with pytest.raises(ValueError, match="No VAE is connected"):
        steer(deep.ours, lite.ours, image=picture(2), vae=None)
    small = SimpleNamespace(first_stage_model=1, latent_channels=4, spacial_compression_decode=lambda: 8)
    with pytest.raises(ValueError, match="Load ae.safetensors, the FLUX autoencoder"):
        steer(deep.ours, lite.ours, image=picture(2), vae=small)


def test_a_control_beside_reference_pictures_is_answered(deep, lite, steer, bridge):
    steered = steer(deep.ours, lite.ours, image=picture(2))
    patches = steered.model_options["transformer_options"]["patches"]
    run = SimpleNamespace(patches=patches, condition=SimpleNamespace(n_clean=32))
    with pytest.raises(ValueError, match="not trained with references"):
        bridge.run.with_control_hints(run, torch.zeros(1, 16, 8, 8), torch.ones(1))


def test_a_wrong_file_is_answered_by_the_loader(bridge, tmp_path):
    from zimage_pack.zimage_core.checkpoints import CheckpointError

    file = tmp_path / "wrong.safetensors"
    save_file({"lora_unet_x.lora_down.weight": torch.zeros(4, 4)}, file)
    with pytest.raises(CheckpointError, match="is a LoRA, not a Z-Image ControlNet; load it with a LoRA loader"):
        bridge.net.load_control(str(file))


@pytest.mark.slow
def test_a_compiled_model_is_steered_alike(native, lite, pack, steer, tmp_path):
    """What a compiler sees of our run, without the minute a real back-end takes."""
    from comfy_api.torch_helpers import set_torch_compile_wrapper

    model = native.ours(pack, tmp_path, replace(native.CONFIG, n_layers=3))
    compiled = model.clone()
    set_torch_compile_wrapper(model=compiled, backend="eager")
    expected = draw(native, steer(model, lite.ours, image=picture(2)), steps=2)
    same(draw(native, steer(compiled, lite.ours, image=picture(2)), steps=2), expected)
