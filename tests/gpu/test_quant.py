"""8-bit layers on the GPU: exact int8 GEMMs, and errors no larger than on the CPU."""

import copy

import pytest
import torch

import gpu
from gpu import randn, relative_error
from zimage_core.quant import FP8, INT8, Fp8Linear, Int8Linear, quantize_layers
from zimage_core.quant.fp8 import has_fp8_gemm

needs_fp8 = pytest.mark.skipif(
    not torch.cuda.is_available() or not has_fp8_gemm(gpu.DEVICE), reason="this GPU has no E4M3 GEMM"
)
N_ROWS = [1, 7, 16, 17, 31, 33, 257, 1056]  # around the minimum rows of CUDA's int8 GEMM, and ragged
LATENT_SIZE = (16, 24)


def int8_values(n, width, seed):
    """Integers with a maximum of 127 in every row, so that quantization to int8 is exact with scales of 1."""
    values = torch.randint(-127, 128, (n, width), generator=torch.Generator().manual_seed(seed))
    values[:, seed] = 127
    return values


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16], ids=str)
@pytest.mark.parametrize("n", N_ROWS)
@pytest.mark.parametrize("widths", [(3840, 11520), (10240, 3840), (256, 24)], ids=str)
def test_int8_gemms_are_exact(widths, n, dtype):
    n_in, n_out = widths
    weight, x = int8_values(n_out, n_in, 1), int8_values(n, n_in, 2)
    truth = (x.double() @ weight.double().T).round()  # below 2**53, so exact in float64
    x = x / 4096 if dtype == torch.float16 else x  # its maximum is 65504
    layer = Int8Linear(weight.float(), None).to(gpu.DEVICE)
    found = layer(x.to(gpu.DEVICE, dtype)[None])[0]
    assert found.dtype == dtype and found.shape == truth.shape
    found = found.cpu().double() * (4096 if dtype == torch.float16 else 1)
    rounding_step = 1e-6 if dtype == torch.float32 else torch.finfo(dtype).eps
    torch.testing.assert_close(found, truth, rtol=rounding_step, atol=1e-2)


def activations_with_outliers(n, width, dtype=torch.bfloat16):
    """Activations with outlier columns a hundred times the others, as in large models."""
    x = randn(n, width, seed=n, dtype=torch.float32)
    x[:, ::61] *= 100
    return x.to(dtype)


@pytest.mark.parametrize("group", [256, None], ids=["rotated", "not rotated"])
@pytest.mark.parametrize("n", [5, 33, 1057])
@pytest.mark.parametrize("n_in", [3840, 10240])
def test_int8_layers_have_no_larger_errors_than_on_the_cpu(n_in, n, group):
    weight, x = randn(512, n_in, dtype=torch.float32).cpu() / n_in**0.5, activations_with_outliers(n, n_in)
    truth = x.cpu().double() @ weight.double().T
    layer = Int8Linear(weight, group)
    on_cpu = relative_error(layer(x.cpu().float()), truth)
    on_gpu = relative_error(layer.to(gpu.DEVICE)(x), truth)
    assert on_gpu <= 1.1 * on_cpu + 2e-3  # plus rounding the output to 16 bits


@needs_fp8
@pytest.mark.parametrize("n", [5, 16, 33, 257, 1057])
@pytest.mark.parametrize("widths", [(3840, 11520), (10240, 3840)], ids=str)
def test_fp8_gemms_are_those_of_the_same_rounded_values(widths, n):
    """Up to rounding the output to bfloat16, and GPU accumulators of as few as 14 bits."""
    n_in, n_out = widths
    weight, x = randn(n_out, n_in, dtype=torch.float32) / n_in**0.5, activations_with_outliers(n, n_in)
    layer = Fp8Linear(weight)
    found, unpacked = layer(x), copy.deepcopy(layer).cpu()(x.cpu().float())
    assert found.dtype == x.dtype
    assert relative_error(found, unpacked) < 0.01
    assert relative_error(found, x.cpu().double() @ weight.cpu().double().T) < 0.04


@pytest.mark.parametrize("kind", [Int8Linear, pytest.param(Fp8Linear, marks=needs_fp8)])
def test_a_weight_is_packed_alike_on_every_device(kind):
    weight = randn(64, 512, dtype=torch.float32)
    options = {"group": None} if kind is Int8Linear else {}
    on_cpu, on_gpu = kind(weight.cpu(), **options), kind(weight, **options).cpu()
    assert (on_cpu.weight.view(torch.uint8) != on_gpu.weight.view(torch.uint8)).float().mean() < 1e-3  # ties may differ
    torch.testing.assert_close(on_cpu.weight_scale, on_gpu.weight_scale, rtol=1e-6, atol=0)


@pytest.mark.parametrize("scheme", [INT8, pytest.param(FP8, marks=needs_fp8)], ids=lambda scheme: scheme.name)
def test_a_step_in_8_bits_is_as_accurate_as_on_the_cpu(scheme):
    dit = gpu.transformer()
    latent, caption = randn(1, 16, *LATENT_SIZE, dtype=torch.float32), randn(17, gpu.SHALLOW_TURBO.cap_feat_dim, seed=1)

    def velocity(network, caption, latent):
        return network.flow(network.prepare([caption], LATENT_SIZE))(latent, 0.7)

    wide = gpu.float32_on_cpu(dit)
    truth = velocity(wide, caption.cpu().float(), latent.cpu())
    quantize_layers(wide, scheme)
    on_cpu = relative_error(velocity(wide, caption.cpu().float(), latent.cpu()), truth)
    unquantized = relative_error(velocity(dit, caption, latent), truth)
    quantize_layers(dit, scheme)
    found = relative_error(velocity(dit, caption, latent), truth)
    assert unquantized < found <= 1.2 * (on_cpu**2 + unquantized**2) ** 0.5
