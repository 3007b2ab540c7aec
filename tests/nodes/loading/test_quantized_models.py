"""Quantised files in ComfyUI: what its layers carry stays packed, and the picture is native's for the same file.

Native is ComfyUI's own loader on the same file; only the guess of widths is answered for it, because it knows no small
model. Native's query and key norms use another epsilon, which shifts pictures by 5e-5 (see test_model.py).
"""

import importlib
from dataclasses import replace

import pytest
import torch
from safetensors.torch import save_file

import ggufs
import quantized_files
import tiny
from memory import peak_bytes
from zimage_core.checkpoints import DIT_DIFFUSERS
from zimage_core.config import TextConfig

FORMATS = list(quantized_files.QUANTIZERS)
EXACT_INPUTS = [name for name in FORMATS if not name.startswith("int8")]
TOLERANCE = {"atol": 1e-3, "rtol": 0}  # of pictures with a deviation of 4
TEXT = TextConfig(vocab_size=151936, dim=32, n_layers=3, n_heads=2, n_kv_heads=1, head_dim=128, ffn_dim=64)


@pytest.fixture(scope="module")
def both(comfy, pack, native):
    """Our MODEL and native's of one file."""
    detection = importlib.import_module("comfy.model_detection")

    def load(file):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(detection, "detect_unet_config", lambda *args, **kwargs: native.settings())
            theirs = comfy.sd.load_diffusion_model(str(file))
        return pack.bridge_model.load_model(str(file)), theirs

    return load


@pytest.fixture(scope="module")
def picture(comfy, native):
    """One forward of a MODEL, by the stock sampling function."""

    def draw(model):
        latent = torch.zeros(1, 16, 8, 8)
        noise = comfy.sample.prepare_noise(latent, 7)
        caption = native.conditioning(17, 1)
        settings = {"steps": 1, "cfg": 1.0, "sampler_name": "euler", "scheduler": "simple", "seed": 7}
        drawn = comfy.sample.sample(
            model, noise, positive=caption, negative=caption, latent_image=latent, disable_pbar=True, **settings
        )
        assert drawn.std() > 1
        return drawn

    return draw


@pytest.fixture(scope="module")
def unpacked(pack, tmp_path_factory):
    """Our MODEL of plain weights, which is what a quantised file stands for."""
    place = tmp_path_factory.mktemp("unpacked")

    def load(values):
        save_file({key: value.float().clone() for key, value in values.items()}, place / "z_image.safetensors")
        return pack.bridge_model.load_model(str(place / "z_image.safetensors"))

    return load


def held(model):
    """The packed layers of a MODEL: their bytes' type by name."""
    from comfy.quant_ops import QuantizedTensor

    weights = {name: getattr(layer, "weight", None) for name, layer in model.model.diffusion_model.named_modules()}
    return {name: weight._qdata.dtype for name, weight in weights.items() if isinstance(weight, QuantizedTensor)}


def file_of(native, name, folder, **how):
    made = quantized_files.quantize_state(
        native.weights(), quantized_files.block_linears(quantized_files.QUANTIZERS[name]), **how
    )
    return made, quantized_files.save(made, folder / "quantised.safetensors")


@pytest.mark.slow
@pytest.mark.parametrize("markers", [True, False], ids=["markers", "header"])
@pytest.mark.parametrize("name", FORMATS)
def test_quantised_layers_stay_as_the_file_has_them(native, both, tmp_path, name, markers):
    made, file = file_of(native, name, tmp_path, markers=markers)
    ours, theirs = both(file)
    layers = {key.removesuffix(".weight_scale") for key in made.tensors if key.endswith(".weight_scale")}
    assert len(layers) == 30
    assert held(ours) == {layer: made.tensors[f"{layer}.weight"].dtype for layer in layers}
    network = ours.model.diffusion_model
    for layer in layers:
        packed = network.get_submodule(layer).weight._qdata
        assert torch.equal(packed.view(torch.uint8), made.tensors[f"{layer}.weight"].view(torch.uint8))
    assert ours.model_size() == theirs.model_size() < 1.01 * file.stat().st_size


@pytest.mark.slow
@pytest.mark.parametrize("name", EXACT_INPUTS)
def test_the_picture_of_a_quantised_file_is_natives(native, both, picture, tmp_path, name):
    ours, theirs = both(file_of(native, name, tmp_path)[1])
    torch.testing.assert_close(picture(ours), picture(theirs), **TOLERANCE)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in FORMATS if name not in EXACT_INPUTS])
def test_an_int8_files_layers_are_natives_bit_by_bit_and_so_is_the_picture_but_for_rounded_inputs(
    native, both, picture, unpacked, tmp_path, name
):
    """ComfyUI rounds what enters an int8 layer to 8 bits too, and a difference of 1e-6 may fall on the other side.

    So layers are compared on the same input, pictures against the step of that rounding, and pictures of the same
    weights without it exactly.
    """
    made, file = file_of(native, name, tmp_path)
    ours, theirs = both(file)
    generator = torch.Generator().manual_seed(3)
    for layer in held(ours):
        mine, stock = (model.model.diffusion_model.get_submodule(layer) for model in (ours, theirs))
        x = torch.randn(5, stock.in_features, generator=generator)
        assert torch.equal(mine(x), stock(x))
    expected = picture(theirs)
    step = (expected - picture(unpacked(made.values))).abs().max()
    assert (picture(ours) - expected).abs().max() < step
    for model in (ours, theirs):
        unpack_in_place(model)
    torch.testing.assert_close(picture(ours), picture(theirs), **TOLERANCE)


def unpack_in_place(model):
    """Replace packed weights by their values, as ComfyUI computes them."""
    for layer in held(model):
        module = model.model.diffusion_model.get_submodule(layer)
        module.weight = torch.nn.Parameter(module.weight.dequantize(), requires_grad=False)
        module.layout_type = None


@pytest.mark.parametrize("full_precision", [True, False])
def test_the_older_scaled_fp8_stays_packed_and_draws_natives_picture(native, both, picture, tmp_path, full_precision):
    made = quantized_files.legacy_scaled_fp8(native.weights(), torch.float8_e4m3fn, full_precision=full_precision)
    ours, theirs = both(quantized_files.save(made, tmp_path / "scaled.safetensors"))
    assert held(ours) == held(theirs)
    assert set(held(ours).values()) == {torch.float8_e4m3fn}
    torch.testing.assert_close(picture(ours), picture(theirs), **TOLERANCE)


def test_the_older_scaled_fp8_of_e5m2_draws_its_weights_picture_where_native_takes_it_for_e4m3(
    native, both, picture, unpacked, tmp_path
):
    made = quantized_files.legacy_scaled_fp8(native.weights(), torch.float8_e5m2)
    ours, theirs = both(quantized_files.save(made, tmp_path / "scaled.safetensors"))
    assert set(held(ours).values()) == {torch.float8_e5m2}
    assert set(held(theirs).values()) == {torch.float8_e4m3fn}
    torch.testing.assert_close(picture(ours), picture(unpacked(made.values)), **TOLERANCE)


@pytest.mark.parametrize("dtype", [torch.float8_e4m3fn, torch.float8_e5m2])
def test_a_plain_fp8_file_draws_natives_picture(native, both, picture, tmp_path, dtype):
    save_file({key: tensor.to(dtype) for key, tensor in native.weights().items()}, tmp_path / "plain.safetensors")
    ours, theirs = both(tmp_path / "plain.safetensors")
    torch.testing.assert_close(picture(ours), picture(theirs), **TOLERANCE)


def test_a_file_of_several_formats_and_plain_layers_is_carried_layer_by_layer(native, both, picture, tmp_path):
    makers = {
        "w1": quantized_files.fp8,
        "w2": quantized_files.nvfp4,
        "w3": quantized_files.mxfp8,
        "qkv": quantized_files.fp8_e5m2,
    }
    made = quantized_files.quantize_state(
        {key: tensor.bfloat16() for key, tensor in native.weights().items()},
        lambda name: makers.get(name.split(".")[-1]) if name.startswith("layers.") else None,
    )
    ours, theirs = both(quantized_files.save(made, tmp_path / "mixed.safetensors"))
    assert held(ours) == held(theirs)
    assert len(held(ours)) == 8
    assert set(held(ours).values()) == {torch.float8_e4m3fn, torch.float8_e5m2, torch.uint8}
    torch.testing.assert_close(picture(ours), picture(theirs), **TOLERANCE)


def test_queries_keys_and_values_quantised_apart_are_unpacked_and_all_else_stays_packed(
    native, pack, picture, unpacked, tmp_path
):
    """The diffusers layout: three scales cannot be one. Native's loader leaves the scales of such a file aside."""
    theirs = DIT_DIFFUSERS.to_file(native.weights())
    made = quantized_files.quantize_state(
        theirs, lambda name: quantized_files.fp8 if ".attention.to_" in name or ".w" in name else None
    )
    model = pack.bridge_model.load_model(str(quantized_files.save(made, tmp_path / "diffusers.safetensors")))
    assert {name.split(".")[-1] for name in held(model)} == {"out", "w1", "w2", "w3"}
    assert model.model.diffusion_model.layers[0].attention.qkv.weight.dtype == torch.float32
    expected = picture(unpacked(DIT_DIFFUSERS.to_model(made.values)))
    torch.testing.assert_close(picture(model), expected, **TOLERANCE)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["float8_e4m3fn", "int8_tensorwise with ConvRot", "nvfp4"])
def test_asking_for_a_precision_unpacks_the_file(native, pack, picture, unpacked, tmp_path, name):
    made, file = file_of(native, name, tmp_path)
    model = pack.bridge_model.load_model(str(file), torch.float32)
    assert not held(model)
    torch.testing.assert_close(picture(model), picture(unpacked(made.values)), atol=1e-4, rtol=0)


@pytest.mark.slow
@pytest.mark.parametrize("large", ["Q8_0", "Q4_K", "Q6_K"])
def test_a_gguf_draws_the_picture_of_its_values(native, pack, picture, unpacked, tmp_path, large):
    pytest.importorskip("gguf")
    made = ggufs.make(native.weights(), ggufs.like_city96(large))
    file = ggufs.write(tmp_path / "z-image-turbo.gguf", made.tensors, architecture="lumina2")
    model = pack.bridge_model.load_model(str(file), torch.float32)
    assert torch.equal(picture(model), picture(unpacked(made.values)))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["bfloat16", "float8_e4m3fn", "nvfp4"])
def test_loading_needs_the_models_memory_and_a_tenth(native, pack, tmp_path, name):
    """Counted in bytes of live tensors; 24 layers, so that the block in work is a small part.

    Packed layers use the file's map. A plain file is copied into a network of float32 here, so its map is counted
    beside it, which is no memory of the process and taken off.
    """
    config = replace(native.CONFIG, n_layers=24)
    state = {key: tensor.bfloat16() for key, tensor in native.weights(config).items()}
    maker = quantized_files.QUANTIZERS.get(name)
    made = quantized_files.quantize_state(state, quantized_files.block_linears(maker) if maker else lambda layer: None)
    file = quantized_files.save(made, tmp_path / "z_image.safetensors")
    kept = []
    found = peak_bytes(lambda: kept.append(pack.bridge_model.load_model(str(file))))
    mapped = 0 if maker else file.stat().st_size
    size = max(kept[0].model_size(), file.stat().st_size)
    assert 0.9 * size < found - mapped < 1.1 * size


def text_state(comfy):
    """A whole published text encoder."""
    from comfy.text_encoders.z_image import te

    empty = te()(dtype=torch.float32, model_options={"qwen3_4b_model_config": native_text()}).qwen3_4b.transformer
    generator = torch.Generator().manual_seed(1)
    return {key: tiny.random_value(key, value.shape, generator) for key, value in sorted(empty.state_dict().items())}


def native_text():
    return {
        "vocab_size": TEXT.vocab_size,
        "hidden_size": TEXT.dim,
        "intermediate_size": TEXT.ffn_dim,
        "num_hidden_layers": TEXT.n_layers,
        "num_attention_heads": TEXT.n_heads,
        "num_key_value_heads": TEXT.n_kv_heads,
    }


def native_clip(comfy, tensors):
    """ComfyUI's own CLIP of a quantised file's tensors, with the answers its detection gives."""
    from comfy.supported_models_base import ClipTarget
    from comfy.text_encoders.hunyuan_video import llama_detect
    from comfy.text_encoders.z_image import ZImageTokenizer, te

    target = ClipTarget(ZImageTokenizer, te(**llama_detect(tensors)))
    options = {"qwen3_4b_model_config": native_text()}
    return comfy.sd.CLIP(target, state_dict=[dict(tensors)], model_options=options)


MIXED_TEXT = {  # fp8 and fp4 mixed are the published kinds
    "fp8 mixed": {"gate_proj": quantized_files.fp8, "up_proj": quantized_files.fp8, "q_proj": quantized_files.fp8},
    "fp4 mixed": {
        "gate_proj": quantized_files.nvfp4,
        "down_proj": quantized_files.nvfp4,
        "o_proj": quantized_files.fp8,
    },
    "with its table": {"embed_tokens": quantized_files.fp8, "k_proj": quantized_files.fp8},
}


@pytest.mark.slow
@pytest.mark.parametrize("case", MIXED_TEXT)
def test_a_mixed_text_encoder_stays_packed_and_reads_and_writes_as_natives(comfy, pack, tmp_path, case):
    from comfy.quant_ops import QuantizedTensor

    makers = MIXED_TEXT[case]
    made = quantized_files.quantize_state(text_state(comfy), lambda name: makers.get(name.split(".")[-1]))
    file = quantized_files.save(made, tmp_path / "qwen_3_4b_mixed.safetensors")
    ours, theirs = pack.bridge_text.load_text_encoder(str(file), None), native_clip(comfy, made.tensors)
    network = ours.cond_stage_model.qwen3_4b.transformer
    packed = {
        name for name, layer in network.named_modules() if isinstance(getattr(layer, "weight", 0), QuantizedTensor)
    }
    last = f".{TEXT.n_layers - 1}."  # the layer that is never read
    marked = {key.removesuffix(".comfy_quant") for key in made.tensors if key.endswith(".comfy_quant")}
    assert packed == {name for name in marked if last not in name}
    assert packed
    for prompt in ("a red fox in the snow", "造相"):
        expected = theirs.encode_from_tokens(theirs.tokenize(prompt))
        found = ours.encode_from_tokens(ours.tokenize(prompt))
        torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)
    assert written(ours) == written(theirs)


def written(clip):
    """What a CLIP writes, greedily."""
    return clip.generate(clip.tokenize("a red fox"), do_sample=False, max_length=8, seed=0)


@pytest.mark.slow
def test_a_text_encoder_of_llama_cpp_reads_and_writes_as_its_values_do(comfy, pack, tmp_path):
    pytest.importorskip("gguf")
    state = text_state(comfy)
    made = ggufs.make(ggufs.llama_cpp(state), ggufs.like_city96("Q8_0"))
    file = ggufs.write(tmp_path / "Qwen3-4B-Q8_0.gguf", made.tensors, architecture="qwen3")
    values = dict(zip(state, made.values.values(), strict=True))
    assert not torch.equal(values["model.layers.0.mlp.up_proj.weight"], state["model.layers.0.mlp.up_proj.weight"])
    ours, theirs = pack.bridge_text.load_text_encoder(str(file), None), native_clip(comfy, values)
    expected = theirs.encode_from_tokens(theirs.tokenize("a red fox in the snow"))
    found = ours.encode_from_tokens(ours.tokenize("a red fox in the snow"))
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)
    assert written(ours) == written(theirs)
