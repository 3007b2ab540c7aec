"""ComfyUI's quantised files: the numbers in them are those the specification's formulas give, bit by bit.

A second truth is comfy-kitchen, whose kernels ComfyUI runs. ConvRot alone is compared within a tolerance: its rotation
is a sum of as many products as a group has columns, and sums depend on their order.
"""

import zlib
from dataclasses import replace

import pytest
import torch
from safetensors.torch import save_file

import quantized_files
import tiny
from zimage_core.checkpoints import DIT_DIFFUSERS, CheckpointError, inspect, load_dit, load_text_encoder
from zimage_core.checkpoints.formats import packed
from zimage_core.checkpoints.formats.quantized import group_packed
from zimage_core.model import S3DiT

FORMATS = list(quantized_files.QUANTIZERS)
ROUNDING = {"atol": 1e-5, "rtol": 0}  # 256 float32 terms of size one: 16 * 6e-8 * |sum|; a step of int8 is 1e-2
WIDE = replace(tiny.DIT, ffn_dim=192)  # like the released widths, these need no filling up to whole blocks


def original():
    return tiny.fill(S3DiT(WIDE)).state_dict()


def check(network, values, maker_name="", dtype=torch.float32):
    """All parameters are the values a file was made to hold."""
    state = network.state_dict()
    assert state.keys() == values.keys()
    for key, expected in values.items():
        if "ConvRot" in maker_name:
            torch.testing.assert_close(state[key], expected.to(dtype), **ROUNDING)
        else:
            assert torch.equal(state[key], expected.to(dtype)), key


@pytest.mark.slow
@pytest.mark.parametrize("markers", [True, False], ids=["markers", "header"])
@pytest.mark.parametrize("name", FORMATS)
def test_a_files_values_are_the_formulas(tmp_path, name, markers):
    state = original()
    made = quantized_files.quantize_state(
        state, quantized_files.block_linears(quantized_files.QUANTIZERS[name]), markers=markers
    )
    file = quantized_files.save(made, tmp_path / "quantised.safetensors")
    check(load_dit(file, torch.float32), made.values, name)
    moved = sum(not torch.equal(made.values[key], state[key]) for key in state)
    assert moved == 6 * len(quantized_files.BLOCK_LINEARS)  # the test would be empty if quantising changed nothing


@pytest.mark.parametrize("name", FORMATS)
def test_comfy_kitchen_reads_the_same_values(name):
    """More than one tile of scales either way, and rows that do not fill the last."""
    tensor = pytest.importorskip("comfy_kitchen.tensor")
    weight = torch.randn(192, 160, generator=torch.Generator().manual_seed(1))
    layer = quantized_files.QUANTIZERS[name](weight)
    layouts = {"nvfp4": "TensorCoreNVFP4Layout", "mxfp8": "TensorCoreMXFP8Layout", "int8": "TensorWiseINT8Layout"}
    layout = getattr(tensor, layouts.get(name.split("_")[0], "TensorCoreFP8Layout"))
    settings = {key: value for key, value in layer.settings.items() if key != "format"}
    scales = {"scale": layer.stored["weight_scale"]}
    if name == "nvfp4":
        scales = {"scale": layer.stored["weight_scale_2"], "block_scale": layer.stored["weight_scale"]}
    params = layout.Params(**scales, **settings, orig_dtype=torch.float32, orig_shape=tuple(weight.shape))
    theirs = layout.dequantize(layer.stored["weight"], params)
    ours = packed_of(layer).unpack(torch.float32)
    assert torch.equal(ours, theirs)
    assert (ours - weight).abs().max() < 0.6  # and they are that weight: half a step of the coarsest format


def packed_of(layer, **changes):
    """A layer on its own, as the loader recognises it."""
    settings = {**layer.settings, **changes.pop("settings", {})}
    stored = {**layer.stored, "comfy_quant": quantized_files.marker(settings), **changes}
    tensors = {f"layer.{leaf}": part for leaf, part in stored.items() if part is not None}
    values = group_packed(tensors, {}, "", "file.safetensors")
    assert values.keys() == {"layer.weight"}
    return values["layer.weight"]


@pytest.mark.parametrize("dtype", [torch.float8_e4m3fn, torch.float8_e5m2])
def test_a_plain_fp8_file_is_cast_without_loss(tmp_path, dtype):
    state = {key: tensor.to(dtype) for key, tensor in original().items()}
    save_file(state, tmp_path / "plain.safetensors")
    network = load_dit(tmp_path / "plain.safetensors")
    assert {parameter.dtype for parameter in network.parameters()} == {torch.bfloat16}
    check(network, state, dtype=torch.bfloat16)
    assert all(torch.equal(network.state_dict()[key].to(dtype).float(), state[key].float()) for key in state)


@pytest.mark.slow
@pytest.mark.parametrize("full_precision", [True, False])
@pytest.mark.parametrize("dtype", [torch.float8_e4m3fn, torch.float8_e5m2])
@pytest.mark.parametrize("prefix", ["", "model.diffusion_model."])
def test_the_older_scaled_fp8_is_read_by_its_weights_own_type(tmp_path, dtype, full_precision, prefix):
    made = quantized_files.legacy_scaled_fp8(original(), dtype, full_precision=full_precision)
    save_file({prefix + key: tensor for key, tensor in made.tensors.items()}, tmp_path / "scaled.safetensors")
    check(load_dit(tmp_path / "scaled.safetensors", torch.float32), made.values)


def test_an_old_marker_of_float32_and_scales_without_any_marker_are_understood():
    made = quantized_files.legacy_scaled_fp8(original(), torch.float8_e4m3fn)
    check(load_dit({**made.tensors, "scaled_fp8": torch.zeros(0)}, torch.float32), made.values)
    bare = {key: tensor for key, tensor in made.tensors.items() if key != "scaled_fp8"}
    check(load_dit(bare, torch.float32), made.values)


def mixed(name):
    """A format per layer, as the published mixed files have it: some layers untouched, the pads always."""
    turns = [*quantized_files.QUANTIZERS.values(), None]
    return turns[zlib.crc32(name.encode()) % len(turns)] if quantized_files.is_block_linear(name) else None


@pytest.mark.parametrize("markers", [True, False], ids=["markers", "header"])
def test_layers_of_all_formats_and_plain_ones_share_a_file(tmp_path, markers):
    state = {key: tensor.bfloat16() for key, tensor in original().items()}
    made = quantized_files.quantize_state(state, mixed, markers=markers)
    file = quantized_files.save(made, tmp_path / "mixed.safetensors")
    used = {mixed(key.removesuffix(".weight")) for key in state}
    assert used == {None, *quantized_files.QUANTIZERS.values()}
    check(load_dit(file, torch.float32), {key: value.float() for key, value in made.values.items()}, "ConvRot")
    assert {parameter.dtype for parameter in load_dit(file).parameters()} == {torch.bfloat16}


def test_a_header_that_names_layers_with_the_files_prefix_is_understood(tmp_path):
    prefix = "model.diffusion_model."
    state = {prefix + key: tensor for key, tensor in original().items()}
    made = quantized_files.quantize_state(state, quantized_files.block_linears(quantized_files.fp8), markers=False)
    file = quantized_files.save(made, tmp_path / "prefixed.safetensors")
    check(load_dit(file, torch.float32), {key.removeprefix(prefix): value for key, value in made.values.items()})


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in FORMATS if name not in ("nvfp4", "mxfp8")])
def test_queries_keys_and_values_quantised_apart_are_stacked(tmp_path, name):
    """The diffusers layout: three scales in what is one matrix of ours."""
    theirs = DIT_DIFFUSERS.to_file(original())
    maker = quantized_files.QUANTIZERS[name]
    made = quantized_files.quantize_state(
        theirs, lambda layer: maker if layer.split(".")[-1] in ("to_q", "to_k", "to_v") else None
    )
    file = quantized_files.save(made, tmp_path / "apart.safetensors")
    check(load_dit(file, torch.float32), DIT_DIFFUSERS.to_model(made.values), name)


@pytest.mark.parametrize("name", ["nvfp4", "mxfp8"])
@torch.inference_mode()
def test_sides_filled_up_to_whole_blocks_change_no_picture(tmp_path, name):
    """170 is no multiple of 16: what the file fills up with zeros adds nothing."""
    made = quantized_files.quantize_state(
        tiny.dit().state_dict(), quantized_files.block_linears(quantized_files.QUANTIZERS[name])
    )
    assert made.tensors["layers.0.feed_forward.w1.weight"].shape[0] in (176, 192)
    x, captions = torch.randn(1, 16, 8, 8), [torch.randn(9, tiny.DIT.cap_feat_dim)]
    found = load_dit(quantized_files.save(made, tmp_path / "filled.safetensors"), torch.float32)(
        x, torch.ones(1), captions
    )
    torch.testing.assert_close(found, load_dit(made.values)(x, torch.ones(1), captions), atol=1e-5, rtol=0)


def test_a_side_filled_up_beside_plain_ones_is_cut():
    made = quantized_files.quantize_state(
        tiny.dit().state_dict(), lambda name: quantized_files.nvfp4 if name.endswith("w2") else None
    )
    assert made.tensors["layers.0.feed_forward.w2.weight"].shape[1] * 2 == 176
    check(load_dit(made.tensors, torch.float32), made.values)


def test_block_scales_may_be_stored_as_bytes():
    for maker in (quantized_files.nvfp4, quantized_files.mxfp8):
        layer = maker(torch.randn(96, 64))
        as_bytes = layer.stored["weight_scale"].view(torch.uint8)
        assert torch.equal(packed_of(layer, weight_scale=as_bytes).unpack(torch.float32), layer.values)


def test_scales_of_int8_rows_may_be_a_vector_and_settings_may_be_nested():
    weight = torch.randn(24, 64)
    rows = quantized_files.int8_rows(weight)
    vector = packed_of(rows, weight_scale=rows.stored["weight_scale"].flatten())
    assert torch.equal(vector.unpack(torch.float32), rows.values)
    layer = quantized_files.convrot(weight, group=64)
    nested = {"convrot": None, "params": {"convrot": True, "convrot_groupsize": 64}}
    del layer.settings["convrot"], layer.settings["convrot_groupsize"]
    del nested["convrot"]
    torch.testing.assert_close(packed_of(layer, settings=nested).unpack(torch.float32), layer.values, **ROUNDING)


def test_a_rotation_without_a_group_size_takes_groups_of_256():
    layer = quantized_files.convrot(torch.randn(8, 512), group=256)
    del layer.settings["convrot_groupsize"]
    torch.testing.assert_close(packed_of(layer).unpack(torch.float32), layer.values, **ROUNDING)


def test_scales_for_inputs_are_kept_for_hosts_and_those_of_one_dropped():
    layer = quantized_files.fp8(torch.randn(8, 16))
    assert "input_scale" not in packed_of(layer, input_scale=torch.ones(())).stored
    kept = packed_of(layer, input_scale=torch.tensor(0.5))
    assert kept.stored["input_scale"].item() == 0.5
    assert torch.equal(kept.unpack(torch.float32), layer.values)  # it scales activations, never weights


def test_a_scale_put_on_the_inputs_is_put_on_the_weight():
    """x * s before the layer is W * s inside it (ModelOpt's AWQ)."""
    layer, smooth = quantized_files.nvfp4(torch.randn(16, 32)), torch.rand(32) + 0.5
    unpacked = packed_of(layer, pre_quant_scale=smooth).unpack(torch.float32)
    x = torch.randn(5, 32)
    torch.testing.assert_close(x @ unpacked.T, (x * smooth) @ layer.values.T)


@pytest.mark.parametrize("name", FORMATS)
def test_a_matrix_unpacked_in_passes_has_the_same_values(monkeypatch, name):
    """Three passes and a rest; each takes its own rows of scales."""
    layer = quantized_files.QUANTIZERS[name](torch.randn(3 * 128 + 32, 64))
    whole = packed_of(layer).unpack(torch.float32)
    monkeypatch.setattr(packed, "PASS_VALUES", 128 * 64)
    passes = list(packed_of(layer)._passes())
    assert [len(part["weight"]) for part in passes] == [128, 128, 128, 32]
    assert torch.equal(packed_of(layer).unpack(torch.float32), whole)


def test_the_text_encoders_layers_and_its_table_are_unpacked(tmp_path):
    state = {**tiny.text_encoder().state_dict()}
    last = {key.replace("layers.1", "layers.2"): tensor.clone() for key, tensor in state.items() if "layers.1" in key}
    whole = {**state, **last, "model.norm.weight": torch.ones(48)}
    made = quantized_files.quantize_state(whole, lambda name: quantized_files.fp8 if "norm" not in name else None)
    file = quantized_files.save(made, tmp_path / "qwen_3_4b_fp8_mixed.safetensors")
    check(load_text_encoder(file, torch.float32), {key: made.values[key] for key in state})


@pytest.mark.parametrize("name", ["convrot_w4a4", "int4_tensorwise", "asym_w4a8_int8", "awq_w4a16", "svdquant_w4a4"])
def test_formats_only_kernels_can_read_are_declined_by_name(name):
    made = quantized_files.quantize_state(original(), quantized_files.block_linears(quantized_files.int8))
    first = next(key for key in made.tensors if key.endswith("comfy_quant"))
    with pytest.raises(CheckpointError, match=rf"\({name}\), which is not read; use the bf16, fp8") as raised:
        load_dit({**made.tensors, first: quantized_files.marker({"format": name})})
    assert "\n" not in str(raised.value)


DAMAGE = {
    "unknown format": ({"settings": {"format": "fp3"}}, "unknown format .*fp3"),
    "no scale": ({"weight_scale": None}, "no weight_scale"),
    "too many scales": ({"weight_scale": torch.ones(7)}, "weight_scale of shape"),
    "scale of whole numbers": ({"weight_scale": torch.ones((), dtype=torch.int32)}, "weight_scale of type int32"),
    "another type": ({"weight": torch.zeros(8, 16, dtype=torch.int8)}, "weight of type int8"),
    "a vector": ({"weight": torch.zeros(8, dtype=torch.float8_e4m3fn)}, "weight of shape"),
    "a marker of numbers": ({"comfy_quant": torch.ones(4)}, "damaged marker"),
    "a marker of noise": ({"comfy_quant": torch.tensor([123, 1], dtype=torch.uint8)}, "damaged marker"),
    "groups that do not fit": (
        {"weight": torch.zeros(8, 24, dtype=torch.int8), "settings": {"format": "int8_tensorwise", "convrot": True}},
        "rotated in groups of 256, which its 24 columns do not have",
    ),
}


@pytest.mark.parametrize("case", DAMAGE)
def test_a_damaged_layer_is_named(case):
    changes, words = DAMAGE[case]
    with pytest.raises(CheckpointError, match=words) as raised:
        packed_of(quantized_files.fp8(torch.randn(8, 16)), **changes)
    assert "file.safetensors" in str(raised.value)
    assert "\n" not in str(raised.value)


def test_whole_numbers_without_a_scale_are_refused():
    state = {key: tensor.to(torch.int8) for key, tensor in original().items()}
    with pytest.raises(CheckpointError, match="as int8 without saying how"):
        load_dit(state)


def test_the_verdict_names_the_formats_of_a_file(tmp_path):
    for name, words in {"nvfp4": "nvfp4", "mxfp8": "mxfp8", "float8_e5m2": "float8_e5m2 with scales"}.items():
        made = quantized_files.quantize_state(
            original(), quantized_files.block_linears(quantized_files.QUANTIZERS[name])
        )
        report = inspect(quantized_files.save(made, tmp_path / f"{name}.safetensors"))
        assert words in report.precision
        assert "float32" in report.precision
