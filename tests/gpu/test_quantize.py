"""Kernels that round to 8 bits on the way, and fused int8 products: as near the truth as stock operations."""

import card
import pytest
import torch
from card import drawn, drift

from zimage_core.kernels import CUDA, Rounding, Rows, Split, rounded, roundings
from zimage_core.kernels.quantize import one_after_the_other
from zimage_core.kernels.rotation import rotated
from zimage_core.quant.fp8 import multiplies_fp8
from zimage_core.quant.int8 import int_product, product_then_scales

pytest.importorskip("triton")
fused = pytest.importorskip("zimage_core.kernels.fused_quantize")
fused_int8 = pytest.importorskip("zimage_core.quant.fused_int8")

EPS, DIM, FFN, TOKENS = 1e-5, 3840, 10240, 37
INT8, TURNED, E4M3 = Rounding(torch.int8), Rounding(torch.int8, 256), Rounding(torch.float8_e4m3fn)
STOCK = one_after_the_other(CUDA.norm, CUDA.swiglu)


@pytest.fixture(params=[INT8, TURNED, E4M3], ids=["int8", "turned int8", "fp8"])
def rounding(request):
    if request.param is E4M3 and not multiplies_fp8(card.DEVICE):
        pytest.skip("this card does not multiply E4M3")
    return request.param


def tokens(width, seed):
    """A few columns thirty times the others, and an empty row."""
    x = 3 * drawn(2, TOKENS, width, seed=seed)
    x[..., ::61] *= 30
    x[0, 2] = 0
    return x


def values(rows: Rows, rounding):
    """What rows stand for, turned back, on the processor."""
    numbers = rows.numbers.cpu().double() * rows.scale.cpu().double()
    return numbers if rounding.group is None else rotated(numbers, rounding.group)


def hold(found: Rows, stock: Rows, truth, rounding):
    assert (found.dtype, found.numbers.dtype, found.shape) == (stock.dtype, rounding.dtype, truth.shape)
    assert found.numbers.float().abs().amax() == rounding.largest
    assert not found.numbers[0, 2].float().any()
    assert drift(values(found, rounding), truth) <= 1.02 * drift(values(stock, rounding), truth)


def test_tokens(rounding):
    x = tokens(DIM, seed=1)
    hold(fused.rounded(x, rounding), rounded(x, rounding), x.cpu().double(), rounding)


@pytest.mark.parametrize("is_split", [False, True])
def test_norms(rounding, is_split):
    x, one, each = tokens(DIM, seed=2), drawn(1, 1, DIM, seed=3), drawn(2, 1, DIM, seed=4)
    row = Split(one, each, 5) if is_split else each
    factor = each.cpu().double().expand(-1, TOKENS, -1).clone()
    if is_split:
        factor[:, :5] = one.cpu().double()
    exact = x.cpu().double()
    truth = exact / (exact.square().mean(-1, keepdim=True) + EPS).sqrt() * factor
    hold(fused.norm(x, row, EPS, rounding), STOCK.norm(x, row, EPS, rounding), truth, rounding)


def test_gated_products(rounding):
    gate, up = drawn(2, TOKENS, FFN, seed=5), tokens(FFN, seed=6)
    exact = gate.cpu().double()
    truth = exact * torch.sigmoid(exact) * up.cpu().double()
    hold(fused.swiglu(gate, up, rounding), STOCK.swiglu(gate.clone(), up, rounding), truth, rounding)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32], ids=str)
@pytest.mark.parametrize("n", [1, 33, 1057])
def test_fused_products_are_the_stock_ones(n, dtype):
    left = rounded(drawn(n, DIM, seed=7, dtype=dtype), INT8)
    right = rounded(drawn(1000, DIM, seed=8, dtype=torch.float32), INT8)
    expected = product_then_scales(left, right)
    scaled = fused_int8.scaled(int_product(left.numbers, right.numbers), left, right)
    candidates = [scaled]
    if torch.cuda.get_device_capability(card.DEVICE) >= (8, 0):
        candidates.append(fused_int8.scaled_product(left, right))
    for found in candidates:
        torch.testing.assert_close(found, expected, rtol=2 * torch.finfo(dtype).eps, atol=1e-30)


def test_a_set_is_chosen_without_a_word_and_remembered(rounding):
    x = drawn(1, 64, DIM)
    chosen = roundings(x, rounding)
    with card.never_waiting():
        assert roundings(x[:, :3], rounding) == chosen
    assert not [sentence for sentence in card.WARNINGS.sentences if "fused kernels are off" in sentence]
