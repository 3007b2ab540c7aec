"""Kernels with fused 8-bit quantization, and fused int8 GEMMs: as accurate as unfused operations."""

import pytest
import torch

import gpu
from gpu import randn, relative_error
from zimage_core.kernels import CUDA, QuantizedTensor, QuantSpec, SplitRow, quantize, select_quant_kernels
from zimage_core.kernels.quantization import unfused
from zimage_core.kernels.rotation import rotated
from zimage_core.quant.fp8 import has_fp8_gemm
from zimage_core.quant.int8 import gemm_then_scale, int_gemm

pytest.importorskip("triton")
fused = pytest.importorskip("zimage_core.kernels.fused_quantization")
fused_int8 = pytest.importorskip("zimage_core.quant.fused_int8")

EPS, DIM, FFN, TOKENS = 1e-5, 3840, 10240, 37
INT8, ROTATED, E4M3 = QuantSpec(torch.int8), QuantSpec(torch.int8, 256), QuantSpec(torch.float8_e4m3fn)
STOCK = unfused(CUDA.norm, CUDA.swiglu)


@pytest.fixture(params=[INT8, ROTATED, E4M3], ids=["int8", "rotated int8", "fp8"])
def spec(request):
    if request.param is E4M3 and not has_fp8_gemm(gpu.DEVICE):
        pytest.skip("this GPU has no E4M3 GEMM")
    return request.param


def tokens(width, seed):
    """Tokens with outlier columns thirty times the others, and a row of zeros."""
    x = 3 * randn(2, TOKENS, width, seed=seed)
    x[..., ::61] *= 30
    x[0, 2] = 0
    return x


def dequantized_values(rows: QuantizedTensor, spec):
    """Dequantized values on the CPU, rotated back."""
    dequantized = rows.values.cpu().double() * rows.scale.cpu().double()
    return dequantized if spec.rotation_group is None else rotated(dequantized, spec.rotation_group)


def check_quantized(found: QuantizedTensor, stock: QuantizedTensor, truth, spec):
    assert (found.dtype, found.values.dtype, found.shape) == (stock.dtype, spec.dtype, truth.shape)
    assert found.values.float().abs().amax() == spec.qmax
    assert not found.values[0, 2].float().any()
    assert relative_error(dequantized_values(found, spec), truth) <= 1.02 * relative_error(
        dequantized_values(stock, spec), truth
    )


def test_tokens(spec):
    x = tokens(DIM, seed=1)
    check_quantized(fused.quantize(x, spec), quantize(x, spec), x.cpu().double(), spec)


@pytest.mark.parametrize("is_split", [False, True])
def test_norms(spec, is_split):
    x, one, each = tokens(DIM, seed=2), randn(1, 1, DIM, seed=3), randn(2, 1, DIM, seed=4)
    row = SplitRow(one, each, 5) if is_split else each
    factor = each.cpu().double().expand(-1, TOKENS, -1).clone()
    if is_split:
        factor[:, :5] = one.cpu().double()
    exact = x.cpu().double()
    truth = exact / (exact.square().mean(-1, keepdim=True) + EPS).sqrt() * factor
    check_quantized(fused.norm(x, row, EPS, spec), STOCK.norm(x, row, EPS, spec), truth, spec)


def test_swiglu(spec):
    gate, up = randn(2, TOKENS, FFN, seed=5), tokens(FFN, seed=6)
    exact = gate.cpu().double()
    truth = exact * torch.sigmoid(exact) * up.cpu().double()
    check_quantized(fused.swiglu(gate, up, spec), STOCK.swiglu(gate.clone(), up, spec), truth, spec)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32], ids=str)
@pytest.mark.parametrize("n", [1, 33, 1057])
def test_fused_gemms_are_the_stock_ones(n, dtype):
    left = quantize(randn(n, DIM, seed=7, dtype=dtype), INT8)
    right = quantize(randn(1000, DIM, seed=8, dtype=torch.float32), INT8)
    expected = gemm_then_scale(left, right)
    scaled = fused_int8.apply_scales(int_gemm(left.values, right.values), left, right)
    candidates = [scaled]
    if torch.cuda.get_device_capability(gpu.DEVICE) >= (8, 0):
        candidates.append(fused_int8.scaled_gemm(left, right))
    for found in candidates:
        torch.testing.assert_close(found, expected, rtol=2 * torch.finfo(dtype).eps, atol=1e-30)


def test_a_kernel_set_is_chosen_without_warnings_and_cached(spec):
    x = randn(1, 64, DIM)
    chosen = select_quant_kernels(x, spec)
    with gpu.no_sync():
        assert select_quant_kernels(x[:, :3], spec) == chosen
    assert not [sentence for sentence in gpu.WARNINGS.sentences if "fused kernels are off" in sentence]
