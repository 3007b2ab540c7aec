"""Files of any kind run in int8: packed as ComfyUI packs, multiplied by its kernels, and near the exact picture."""

import pytest
import torch
from safetensors.torch import load_file, save_file

import ggufs
import quantized_files


@pytest.fixture(scope="module")
def file(native, tmp_path_factory):
    path = tmp_path_factory.mktemp("models") / "zimage.safetensors"
    save_file(native.weights(), path)
    return path


def picture(comfy, native, model):
    noise = torch.randn(1, 16, 8, 8, generator=torch.Generator().manual_seed(3))
    settings = (4, 1.0, "euler", "simple", native.conditioning(17, 1), native.conditioning(40, 2))
    return comfy.sample.sample(model, noise, *settings, torch.zeros(1, 16, 8, 8), disable_pbar=True)


def held(model):
    """Layers whose weight is packed, and how."""
    return {
        name: module.quant_format
        for name, module in model.model.diffusion_model.named_modules()
        if getattr(module, "quant_format", None)
    }


def relative(out, truth):
    return ((out - truth).norm() / truth.norm()).item()


def test_the_main_layers_are_packed_as_in_comfyuis_own_files_and_nothing_else(comfy, pack, native, file):
    """ComfyUI's published int8 files are made the same way; the helper makes one by its formulas."""
    model = pack.bridge_model.load_model(str(file), None, True)
    n_layers = native.CONFIG.n_layers
    assert set(held(model).values()) == {"int8_tensorwise"}
    assert len(held(model)) == 5 * n_layers
    assert all(name.startswith("layers.") for name in held(model))
    weights = native.weights()
    for name in held(model):
        layer = quantized_files.convrot(weights[f"{name}.weight"], group=256)
        mine = model.model.diffusion_model.get_submodule(name).weight
        assert (mine._qdata.int() - layer.stored["weight"].int()).abs().max() <= 1  # a sum's order may tip a rounding
        torch.testing.assert_close(mine.dequantize(), layer.values, atol=2e-2, rtol=0)
    matrices = [weights[f"{name}.weight"] for name in held(model)]
    saved = sum(3 * matrix.numel() - 4 * len(matrix) for matrix in matrices)  # of float32, with a scale for each row
    exact = pack.bridge_model.load_model(str(file)).model_size()
    assert model.model_size() == pytest.approx(exact - saved, rel=1e-3)


def test_the_picture_is_near_the_exact_one_and_a_second_load_draws_it_again(comfy, pack, native, file):
    exact = picture(comfy, native, pack.bridge_model.load_model(str(file)))
    model = pack.bridge_model.load_model(str(file), None, True)
    drawn = picture(comfy, native, model)
    assert 0 < relative(drawn, exact) < 0.05
    load, arguments = model.cached_patcher_init
    assert torch.equal(picture(comfy, native, load(*arguments)), drawn)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["float8_e4m3fn", "int8_tensorwise with ConvRot"])
def test_a_file_packed_otherwise_is_packed_anew_and_one_packed_so_stays(comfy, pack, native, tmp_path, name):
    made = quantized_files.quantize_state(
        native.weights(), quantized_files.block_linears(quantized_files.QUANTIZERS[name])
    )
    path = str(quantized_files.save(made, tmp_path / "packed.safetensors"))
    model, before = pack.bridge_model.load_model(path, None, True), pack.bridge_model.load_model(path)
    main = {key: value for key, value in held(model).items() if key.startswith("layers.")}
    assert len(main) == 5 * native.CONFIG.n_layers
    assert set(main.values()) == {"int8_tensorwise"}
    difference = relative(picture(comfy, native, model), picture(comfy, native, before))
    assert difference == 0 if "ConvRot" in name else 0 < difference < 0.05


def test_a_gguf_file_runs_in_int8_instead_of_being_unpacked_to_16_bits(comfy, pack, native, tmp_path):
    made = ggufs.make(native.weights(), ggufs.like_city96("Q8_0"))
    path = str(ggufs.write(tmp_path / "z-image-turbo.gguf", made.tensors, architecture="lumina2"))
    model, before = pack.bridge_model.load_model(path, None, True), pack.bridge_model.load_model(path)
    assert len(held(model)) == 5 * native.CONFIG.n_layers
    assert 0 < relative(picture(comfy, native, model), picture(comfy, native, before)) < 0.05


def test_a_lora_works_on_a_model_in_int8(comfy, pack, native, file):
    model = pack.bridge_model.load_model(str(file), None, True)
    plain = picture(comfy, native, model)
    key = "diffusion_model.layers.0.feed_forward.w2.weight"
    weight = load_file(str(file))["layers.0.feed_forward.w2.weight"]
    patched = model.clone()
    patched.add_patches({key: ("diff", (0.5 * weight.std() * torch.randn_like(weight),))}, 1.0)
    assert relative(picture(comfy, native, patched), plain) > 0.01
    assert torch.equal(picture(comfy, native, model), plain)
