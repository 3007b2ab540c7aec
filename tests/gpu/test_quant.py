"""8-bit layers on the card, through their public face: exact products, and errors no larger than the processor's."""

import copy

import pytest
import torch

import gpu
from gpu import randn, relative_error
from zimage_core.quant import FP8, INT8, Fp8Linear, Int8Linear, quantize_layers
from zimage_core.quant.fp8 import has_fp8_gemm

needs_fp8 = pytest.mark.skipif(
    not torch.cuda.is_available() or not has_fp8_gemm(gpu.DEVICE), reason="this card does not multiply E4M3"
)
N_ROWS = [1, 7, 16, 17, 31, 33, 257, 1056]  # around the fewest that CUDA's product takes, and ragged
CELLS = (16, 24)


def whole_numbers(n, width, seed):
    """Whole numbers up to 127, which every row contains: rounding to int8 leaves them, with scales of one."""
    numbers = torch.randint(-127, 128, (n, width), generator=torch.Generator().manual_seed(seed))
    numbers[:, seed] = 127
    return numbers


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16], ids=str)
@pytest.mark.parametrize("n", N_ROWS)
@pytest.mark.parametrize("widths", [(3840, 11520), (10240, 3840), (256, 24)], ids=str)
def test_int8_products_are_those_of_whole_numbers_on_the_processor(widths, n, dtype):
    inside, outside = widths
    weight, x = whole_numbers(outside, inside, 1), whole_numbers(n, inside, 2)
    truth = (x.double() @ weight.double().T).round()  # below 2**53, so exact
    x = x / 4096 if dtype == torch.float16 else x  # which holds no number above 65504
    layer = Int8Linear(weight.float(), None).to(gpu.DEVICE)
    found = layer(x.to(gpu.DEVICE, dtype)[None])[0]
    assert found.dtype == dtype and found.shape == truth.shape
    found = found.cpu().double() * (4096 if dtype == torch.float16 else 1)
    step = 1e-6 if dtype == torch.float32 else torch.finfo(dtype).eps
    torch.testing.assert_close(found, truth, rtol=step, atol=1e-2)


def outlying(n, width, dtype=torch.bfloat16):
    """Activations as large models have them: a few columns a hundred times the others."""
    x = randn(n, width, seed=n, dtype=torch.float32)
    x[:, ::61] *= 100
    return x.to(dtype)


@pytest.mark.parametrize("group", [256, None], ids=["rotated", "not rotated"])
@pytest.mark.parametrize("n", [5, 33, 1057])
@pytest.mark.parametrize("inside", [3840, 10240])
def test_int8_layers_err_no_more_than_on_the_processor(inside, n, group):
    weight, x = randn(512, inside, dtype=torch.float32).cpu() / inside**0.5, outlying(n, inside)
    truth = x.cpu().double() @ weight.double().T
    layer = Int8Linear(weight, group)
    on_processor = relative_error(layer(x.cpu().float()), truth)
    on_gpu = relative_error(layer.to(gpu.DEVICE)(x), truth)
    assert on_gpu <= 1.1 * on_processor + 2e-3  # and rounding the output to 16 bits


@needs_fp8
@pytest.mark.parametrize("n", [5, 16, 33, 257, 1057])
@pytest.mark.parametrize("widths", [(3840, 11520), (10240, 3840)], ids=str)
def test_fp8_products_are_those_of_the_same_rounded_numbers(widths, n):
    """But for the output's rounding to bfloat16 and for sums that a GPU may keep in as few as 14 bits."""
    inside, outside = widths
    weight, x = randn(outside, inside, dtype=torch.float32) / inside**0.5, outlying(n, inside)
    layer = Fp8Linear(weight)
    found, unpacked = layer(x), copy.deepcopy(layer).cpu()(x.cpu().float())
    assert found.dtype == x.dtype
    assert relative_error(found, unpacked) < 0.01
    assert relative_error(found, x.cpu().double() @ weight.cpu().double().T) < 0.04


@pytest.mark.parametrize("kind", [Int8Linear, pytest.param(Fp8Linear, marks=needs_fp8)])
def test_a_weight_is_packed_alike_wherever_it_is(kind):
    weight = randn(64, 512, dtype=torch.float32)
    given = {"group": None} if kind is Int8Linear else {}
    here, there = kind(weight.cpu(), **given), kind(weight, **given).cpu()
    assert (here.weight.view(torch.uint8) != there.weight.view(torch.uint8)).float().mean() < 1e-3  # ties may differ
    torch.testing.assert_close(here.weight_scale, there.weight_scale, rtol=1e-6, atol=0)


@pytest.mark.parametrize("scheme", [INT8, pytest.param(FP8, marks=needs_fp8)], ids=lambda scheme: scheme.name)
def test_a_step_in_8_bits_stays_near_the_exact_one_and_is_as_near_as_the_processors(scheme):
    dit = gpu.transformer()
    latent, caption = randn(1, 16, *CELLS, dtype=torch.float32), randn(17, gpu.SHALLOW_TURBO.cap_feat_dim, seed=1)

    def velocity(network, caption, latent):
        return network.flow(network.prepare([caption], CELLS))(latent, 0.7)

    wide = gpu.float32_on_cpu(dit)
    truth = velocity(wide, caption.cpu().float(), latent.cpu())
    quantize_layers(wide, scheme)
    on_processor = relative_error(velocity(wide, caption.cpu().float(), latent.cpu()), truth)
    exact = relative_error(velocity(dit, caption, latent), truth)
    quantize_layers(dit, scheme)
    found = relative_error(velocity(dit, caption, latent), truth)
    assert exact < found <= 1.2 * (on_processor**2 + exact**2) ** 0.5
