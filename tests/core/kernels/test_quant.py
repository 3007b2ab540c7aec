"""8-bit layers: exact products of the rounded numbers, ComfyUI's own packing, and what quantization costs."""

from types import SimpleNamespace

import pytest
import torch
from torch import nn

import tiny
from zimage_core.adapters import Lora, injected
from zimage_core.adapters.deltas.low_rank import LowRank
from zimage_core.adapters.lora import Target
from zimage_core.checkpoints.formats.dequantize import convrot
from zimage_core.kernels import QuantizedTensor, quantize
from zimage_core.kernels.quantization import unfused
from zimage_core.quant import FP8, INT8, INT8_UNROTATED, Fp8Linear, Int8Linear, fp8, hadamard, quantize_layers, rotated
from zimage_core.quant.fp8 import E4M3
from zimage_core.quant.int8 import has_matrix_cores, int8_spec
from zimage_core.quant.scheme import Scheme

WIDE, TALL = 256, 96

pytestmark = pytest.mark.usefixtures("_no_gradients")


@pytest.fixture
def _no_gradients():
    with torch.inference_mode():
        yield


def relative(out, truth):
    return ((out.double() - truth.double()).norm() / truth.double().norm()).item()


def with_outliers(generator, *shape):
    """Activations as large models have them: a few columns a hundred times the others."""
    x = torch.randn(*shape, generator=generator)
    x[..., ::61] *= 100
    return x


@pytest.mark.parametrize("spec", [int8_spec(None), E4M3], ids=["int8", "fp8"])
def test_rows_use_their_whole_range_and_come_back_within_half_a_step(generator, spec):
    x = with_outliers(generator, 7, WIDE)
    x[3] = 0
    rows = quantize(x, spec)
    values = rows.values.double() * rows.scale.double()
    assert rows.values.float().abs().amax(dim=1).tolist() == [0 if row == 3 else spec.qmax for row in range(7)]
    is_whole = spec.dtype == torch.int8
    step = rows.scale if is_whole else (x.abs() / 8).clamp_min(rows.scale * 2**-9)  # three bits of mantissa
    assert ((values - x).abs() <= step.double() / 2 * (1 + 1e-5)).all()
    assert not values[3].any()


@pytest.mark.parametrize("group", [4, 16, 64, 256])
def test_the_rotation_is_orthogonal_and_its_own_inverse(generator, group):
    matrix = hadamard(group)
    torch.testing.assert_close(matrix @ matrix, torch.eye(group), atol=1e-6, rtol=0)
    x = torch.randn(3, WIDE, generator=generator)
    torch.testing.assert_close(rotated(rotated(x, group), group), x, atol=2e-6, rtol=0)
    torch.testing.assert_close(rotated(x, group).norm(), x.norm(), atol=0, rtol=1e-6)


@pytest.mark.parametrize("group", [None, 64])
def test_an_int8_layer_is_the_exact_product_of_its_rounded_numbers(generator, group):
    weight, x = torch.randn(TALL, WIDE, generator=generator), with_outliers(generator, 2, 9, WIDE)
    layer = Int8Linear(weight, group)
    turn = torch.eye(WIDE).double() if group is None else rotated(torch.eye(WIDE), group).double()
    rows = quantize(x if group is None else rotated(x, group), int8_spec(None))
    product = (rows.values.double() * rows.scale) @ (layer.weight.double() * layer.weight_scale).T
    assert relative(layer(x), product) < 1e-6
    unpacked = (layer.weight.double() * layer.weight_scale) @ turn
    assert (unpacked - weight).abs().amax() < 0.06  # half a step of the largest row
    assert layer(x).shape == (2, 9, TALL)


def test_an_fp8_layer_is_the_product_of_its_rounded_numbers(generator):
    weight, x = torch.randn(TALL, WIDE, generator=generator), with_outliers(generator, 2, 9, WIDE)
    layer, rows = Fp8Linear(weight), quantize(x, E4M3)
    product = (rows.values.double() * rows.scale) @ (layer.weight.double() * layer.weight_scale).T
    assert relative(layer(x), product) < 1e-6


def test_int8_weights_are_those_comfyui_packs_and_its_kernels_multiply(generator):
    """comfy-kitchen is what ComfyUI itself packs and multiplies with."""
    kitchen = pytest.importorskip("comfy_kitchen")
    tensor = pytest.importorskip("comfy_kitchen.tensor")
    weight, x = torch.randn(TALL, WIDE, generator=generator), with_outliers(generator, 20, WIDE)
    layer = Int8Linear(weight, 256)
    theirs, parameters = tensor.TensorWiseINT8Layout.quantize(weight, per_channel=True, convrot=True)
    assert ((theirs.int() - layer.weight.int()).abs() <= 1).all()  # sums of 256 terms, in another order
    assert (theirs != layer.weight).float().mean() < 1e-3
    torch.testing.assert_close(parameters.scale.flatten(), layer.weight_scale.flatten(), atol=0, rtol=1e-6)
    out = kitchen.int8_linear(x, layer.weight, layer.weight_scale, None, convrot=True, convrot_groupsize=256)
    assert relative(layer(x), out) < 2e-3  # a rounding may fall the other way here and there
    spread = (convrot(layer.weight, layer.weight_scale, 256) - weight).square().mean(dim=1).sqrt()
    torch.testing.assert_close(spread, layer.weight_scale.flatten() / 12**0.5, atol=0, rtol=0.2)  # of uniform rounding


def test_one_scale_for_a_row_withstands_outliers_and_rotation_helps_int8(generator):
    weight, x = torch.randn(TALL, WIDE, generator=generator), with_outliers(generator, 64, WIDE)
    truth = x.double() @ weight.double().T
    errors = {
        "int8": relative(Int8Linear(weight, 256)(x), truth),
        "unrotated": relative(Int8Linear(weight, None)(x), truth),
        "fp8": relative(Fp8Linear(weight)(x), truth),
    }
    assert errors["int8"] < 0.02
    assert errors["fp8"] < 0.04
    assert errors["int8"] < errors["unrotated"]


@pytest.mark.parametrize("scheme", [INT8, INT8_UNROTATED, FP8], ids=lambda scheme: scheme.name)
def test_only_the_main_layers_change_and_the_velocity_stays_near(generator, scheme):
    dit = tiny.dit()
    latent, sigma, caption = torch.randn(1, 16, 8, 8, generator=generator), torch.tensor([0.6]), [torch.ones(9, 48)]
    plain, before = dit(latent, sigma, caption), {key: value.clone() for key, value in dit.state_dict().items()}
    assert quantize_layers(dit, scheme) == 5 * len(dit.layers)
    after = dit.state_dict().items()
    changed = {key for key, value in after if key not in before or not torch.equal(value.float(), before[key].float())}
    assert changed
    assert all(key.startswith("layers.") and ("attention." in key or "feed_forward." in key) for key in changed)
    assert 0 < relative(dit(latent, sigma, caption), plain) < 0.1


def reading_whole(dit):
    """Every 8-bit layer as one that rounds its inputs itself."""
    for module in dit.modules():
        if isinstance(module, (Int8Linear, Fp8Linear)):
            module.forward = module.forward  # something of its own stands before it, as a LoRA's side branch does
    return dit


@pytest.mark.parametrize("scheme", [INT8, INT8_UNROTATED, FP8], ids=lambda scheme: scheme.name)
def test_inputs_rounded_on_the_way_are_those_the_layers_would_have_rounded(generator, monkeypatch, scheme):
    dit = tiny.dit()
    quantize_layers(dit, scheme)
    args = torch.randn(1, 16, 8, 8, generator=generator), torch.tensor([0.6]), [torch.ones(9, 48)]
    calls = []

    def counted(x, spec):
        calls.append(spec)
        return quantize(x, spec)

    monkeypatch.setattr("zimage_core.kernels.quantization.quantize", counted)
    unfused.cache_clear()
    on_the_way, n_on_the_way = dit(*args), len(calls)
    by_layers, n_by_layers = reading_whole(dit)(*args), len(calls) - n_on_the_way
    unfused.cache_clear()
    assert torch.equal(on_the_way, by_layers)
    assert (n_on_the_way, n_by_layers) == (4 * len(dit.layers), 5 * len(dit.layers))  # w1 and w3 share one


@pytest.mark.parametrize("matrices", [("feed_forward.w1",), ("feed_forward.w2", "attention.qkv")])
def test_layers_in_8_bits_and_whole_ones_read_the_same_tokens(generator, matrices):
    plain, mixed = tiny.dit(), tiny.dit()
    quantize_layers(mixed, Scheme(name="some", pack=INT8.pack, matrices=matrices))
    args = torch.randn(1, 16, 8, 8, generator=generator), torch.tensor([0.6]), [torch.ones(9, 48)]
    assert 0 < relative(mixed(*args), plain(*args)) < 0.05


@pytest.mark.parametrize("path", ["attention.qkv", "feed_forward.w1", "feed_forward.w2"])
def test_a_side_branch_reads_tokens_as_they_were_before_rounding(generator, path):
    """A branch that takes away just what the layer gives leaves what an absent layer leaves."""
    dit = tiny.dit()
    quantize_layers(dit, INT8)
    args = torch.randn(1, 16, 8, 8, generator=generator), torch.tensor([0.6]), [torch.ones(9, 48)]
    quantised = dit(*args)
    height, width = (getattr(dit.layers[0].get_submodule(path), name) for name in ("out_features", "in_features"))
    nothing = LowRank(up=torch.zeros(height, 1), down=torch.randn(1, width, generator=generator))
    target = Target(f"layers.0.{path}.weight")
    with injected(dit, (Lora(file="", family="", deltas={target: nothing}), 1.0)):
        assert torch.equal(dit(*args), quantised)
    seen = []
    layer = dit.layers[0].get_submodule(path)
    plain, layer.forward = layer.forward, lambda x: seen.append(x) or type(layer).forward(layer, x)
    dit(*args)
    del layer.forward
    assert [x.dtype for x in seen] == [torch.float32]
    assert torch.equal(plain(seen[0]), layer(quantize(seen[0], layer.quant_spec)))


def test_a_scheme_may_name_fewer_matrices_but_only_real_ones():
    dit = tiny.dit()
    assert quantize_layers(dit, Scheme(name="only", pack=INT8.pack, matrices=("feed_forward.w1",))) == len(dit.layers)
    assert isinstance(dit.layers[0].feed_forward.w1, Int8Linear)
    assert isinstance(dit.layers[0].feed_forward.w3, nn.Linear)
    with pytest.raises(ValueError, match="no matrices"):
        Scheme(name="wrong", pack=INT8.pack, matrices=("adaLN",))


def test_a_lora_runs_beside_an_8_bit_layer_and_leaves_no_trace(generator):
    dit = tiny.dit()
    quantize_layers(dit, INT8)
    layer = dit.layers[0].attention.out
    up, down = torch.randn(64, 2, generator=generator), torch.randn(2, 64, generator=generator)
    lora = Lora(file="", family="", deltas={Target("layers.0.attention.out.weight"): LowRank(up=up, down=down)})
    x = torch.randn(1, 20, 64, generator=generator)
    plain = layer(x)
    with injected(dit, (lora, 0.5)):
        torch.testing.assert_close(layer(x), plain + 0.5 * x @ down.T @ up.T, atol=1e-4, rtol=1e-5)
    assert torch.equal(layer(x), plain)


@pytest.fixture
def as_ada(monkeypatch):
    """A GPU that multiplies E4M3, as the functions that ask for one are told."""
    monkeypatch.setattr(fp8, "_tried", {})
    monkeypatch.setattr(fp8, "has_fp8_gemm", lambda device: True)


@pytest.mark.parametrize("answer", ["absent", "wrong", "right"])
def test_the_scaled_fp8_gemm_is_tried_once_and_left_where_it_fails(generator, monkeypatch, caplog, as_ada, answer):
    calls = []

    def scaled(left, right):
        calls.append(1)
        if answer == "absent":  # what PyTorch says on Windows
            raise RuntimeError("Rowwise scaling is not supported on this platform\nand more")
        return fp8.dequantized_gemm(left, right) * (2 if answer == "wrong" else 1)

    monkeypatch.setattr(fp8, "scaled_gemm", scaled)
    layer, x = Fp8Linear(torch.randn(TALL, WIDE, generator=generator)), torch.randn(3, WIDE, generator=generator)
    rows = quantize(x, E4M3)
    expected = fp8.dequantized_gemm(rows, QuantizedTensor(layer.weight, layer.weight_scale, torch.float32))
    for _ in range(3):
        assert torch.equal(layer(x), expected)
    assert len(calls) == (4 if answer == "right" else 1)
    assert caplog.text.count("8-bit GEMM is off") == (0 if answer == "right" else 1)


def test_fp8_is_never_multiplied_on_amd(monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device=None: (11, 0))
    monkeypatch.setattr(torch.version, "hip", "6.4")
    assert not fp8.has_fp8_gemm(torch.device("cuda"))
    monkeypatch.setattr(torch.version, "hip", None)
    assert fp8.has_fp8_gemm(torch.device("cuda"))


@pytest.mark.parametrize(
    ("name", "capability", "is_able"),
    [
        ("gfx1030", (10, 3), False),  # RDNA 2
        ("gfx906:sramecc+:xnack-", (9, 0), False),
        ("gfx90a:sramecc+:xnack-", (9, 0), True),
        ("gfx942", (9, 4), True),
        ("gfx1100", (11, 0), True),
        (None, (7, 5), False),  # NVIDIA's
        (None, (8, 0), True),
    ],
)
def test_tritons_int8_gemm_is_for_gpus_with_matrix_instructions(monkeypatch, name, capability, is_able):
    monkeypatch.setattr(torch.version, "hip", None if name is None else "6.4")
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device=None: capability)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: SimpleNamespace(gcnArchName=name))
    assert has_matrix_cores(torch.device("cuda")) == is_able
