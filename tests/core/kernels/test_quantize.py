"""Kernels that round what they make to 8 bits, and Triton's 8-bit products, against the formulas in float64."""

import os
import subprocess
import sys
from importlib.util import find_spec

import pytest
import torch

from zimage_core.kernels import CPU, PLAIN, Rounding, Rows, Split, exercise_of, kernels, only, rounded, roundings
from zimage_core.kernels.quantize import one_after_the_other
from zimage_core.kernels.rotation import hadamard

IS_INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1"  # Triton's kernels run on a processor then, slowly
SETS = {name: one_after_the_other(each.norm, each.swiglu) for name, each in {"plain": PLAIN, "cpu": CPU}.items()}
PRODUCTS = {}
if IS_INTERPRETED:
    from zimage_core.kernels import load_fused_roundings
    from zimage_core.quant import fused_int8

    (SETS["fused"],) = load_fused_roundings(torch.device("cpu"))
    PRODUCTS["fused"] = fused_int8

EPS, WIDTH, GROUP = 1e-5, 768, 256
ROUNDINGS = {
    "int8": Rounding(torch.int8),
    "int8, turned": Rounding(torch.int8, GROUP),
    "fp8": Rounding(torch.float8_e4m3fn),
    "fp8, turned": Rounding(torch.float8_e4m3fn, GROUP),
}

pytestmark = pytest.mark.usefixtures("_no_gradients")


@pytest.fixture
def _no_gradients():
    with torch.inference_mode():
        yield


def tokens(generator, *shape):
    """With the outliers large models have, and an empty row."""
    x = 3 * torch.randn(*shape, generator=generator)
    x[..., ::61] *= 30
    x[0, 2] = 0
    return x


def turned(x, rounding):
    if rounding.group is None:
        return x.double()
    whole = torch.block_diag(*[hadamard(GROUP).double()] * (x.shape[-1] // GROUP))
    return x.double() @ whole


def hold(rows, truth, rounding):
    """Every number is one of the two nearest to the truth, each row uses its whole range, and zero stays zero."""
    truth = turned(truth, rounding)
    values = rows.numbers.double() * rows.scale.double()
    expected = truth.abs().amax(-1, keepdim=True) / rounding.largest
    torch.testing.assert_close(rows.scale.double(), expected.clamp_min(1e-12), atol=0, rtol=2e-6)
    step = rows.scale.double()
    if rounding.dtype != torch.int8:  # three bits of mantissa
        step = (truth.abs() / 8).clamp_min(step * 2**-9)
        if IS_INTERPRETED:  # which cuts subnormals off, and loses the carry to the next power of two
            ratio = truth.abs() / rows.scale
            values = torch.where((ratio < 2**-6) | (torch.frexp(ratio).mantissa > 0.96), truth, values)
    assert ((values - truth).abs() <= step / 2 * (1 + 1e-3)).all()
    assert not rows.numbers.float()[0, 2].any()


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("which", ROUNDINGS)
def test_tokens_are_rounded_to_the_nearest(generator, name, which):
    x, rounding = tokens(generator, 2, 5, WIDTH), ROUNDINGS[which]
    hold(SETS[name].rounded(x, rounding), x, rounding)


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("which", ROUNDINGS)
@pytest.mark.parametrize("kind", ["one row", "clean and noisy"])
def test_norms_round_what_they_make(generator, name, which, kind):
    x, rounding = tokens(generator, 2, 5, WIDTH), ROUNDINGS[which]
    one, each = torch.randn(1, 1, WIDTH, generator=generator), torch.randn(2, 1, WIDTH, generator=generator)
    row = one if kind == "one row" else Split(one, each, 2)
    factor = one if kind == "one row" else torch.cat((one.expand(2, 2, -1), each.expand(2, 3, -1)), dim=1)
    truth = x.double() / (x.double().square().mean(-1, keepdim=True) + EPS).sqrt() * factor
    hold(SETS[name].norm(x, row, EPS, rounding), truth, rounding)


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("which", ROUNDINGS)
@pytest.mark.parametrize("width", [WIDTH, 10 * GROUP], ids=["one piece", "a piece and a bit"])
def test_gated_products_are_rounded(generator, name, which, width):
    gate, up = torch.randn(1, 3, width, generator=generator), tokens(generator, 1, 3, width)
    truth = gate.double() * torch.sigmoid(gate.double()) * up.double()
    hold(SETS[name].swiglu(gate.clone(), up, ROUNDINGS[which]), truth, ROUNDINGS[which])


@pytest.mark.parametrize("name", SETS)
def test_what_float16_cannot_hold_is_rounded_all_the_same(generator, name):
    gate, up = (torch.full((1, 4, WIDTH), 400.0, dtype=torch.float16) for _ in range(2))  # 160,000 each
    rows = SETS[name].swiglu(gate, up, ROUNDINGS["int8"])
    assert rows.scale.isfinite().all()
    assert (rows.numbers == 127).all()


@pytest.mark.parametrize("name", [name for name in SETS if name == "fused"])
def test_rounding_on_the_way_is_no_further_from_the_truth_than_rounding_twice(generator, name):
    x = tokens(generator, 2, 9, WIDTH).half()
    row = torch.randn(1, 1, WIDTH, generator=generator).half()
    truth = x.double() / (x.double().square().mean(-1, keepdim=True) + EPS).sqrt() * row.double()
    for rounding in (ROUNDINGS["int8"], ROUNDINGS["int8, turned"]):

        def error(chosen, rounding=rounding):
            rows = chosen.norm(x, row, EPS, rounding)
            return (rows.numbers.double() * rows.scale - turned(truth, rounding)).norm()

        assert error(SETS[name]) <= 1.02 * error(SETS["plain"])


@pytest.mark.parametrize("name", [name for name in SETS if name == "fused"])
def test_groups_no_kernel_knows_are_refused(name):
    with pytest.raises(ValueError, match="in groups of 256"):
        SETS[name].rounded(torch.ones(1, 2, 128), Rounding(torch.int8, 64))


@pytest.mark.parametrize("name", PRODUCTS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
@pytest.mark.parametrize("shape", [(37, 200, 150), (130, 256, 300)], ids=["ragged", "more than a tile"])
def test_fused_int8_products_are_exact_but_for_their_last_rounding(generator, name, dtype, shape):
    n, i, o = shape
    left = rounded(torch.randn(n, i, generator=generator).to(dtype), ROUNDINGS["int8"])
    right = rounded(torch.randn(o, i, generator=generator), ROUNDINGS["int8"])
    whole = left.numbers.int() @ right.numbers.int().T
    truth = whole.double() * left.scale.double() * right.scale.double().T
    tolerance = {"atol": 1e-30, "rtol": 2 * torch.finfo(dtype).eps}
    for out in (PRODUCTS[name].scaled_product(left, right), PRODUCTS[name].scaled(whole, left, right)):
        assert out.dtype == dtype
        torch.testing.assert_close(out.double(), truth, **tolerance)


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("which", ROUNDINGS)
def test_what_sets_are_compared_on_is_what_all_three_make(generator, name, which):
    x, rounding = tokens(generator, 1, 7, WIDTH), ROUNDINGS[which]
    out = exercise_of(rounding)(SETS[name], x)
    gated = x.double() * torch.sigmoid(x.double()) * x.double()
    normed = x.double() / (x.double().square().mean(-1, keepdim=True) + EPS).sqrt()
    truth = torch.cat([turned(each, rounding) for each in (x, normed, gated)])
    assert (out - truth).norm() / truth.norm() < (0.01 if which == "int8, turned" else 0.04)  # outliers cost the others


def test_rows_get_the_kernels_of_the_tokens_they_were():
    x = torch.ones(1, 2, WIDTH)
    rows = Rows(x.to(torch.int8), x[..., :1], torch.float32)
    assert rows.shape == x.shape
    assert kernels(rows) is kernels(x) is CPU
    with only(PLAIN):
        assert roundings(rows, ROUNDINGS["int8"]) is one_after_the_other(PLAIN.norm, PLAIN.swiglu)


@pytest.mark.skipif(IS_INTERPRETED or find_spec("triton") is None, reason="inside, or without Triton")
def test_the_fused_kernels_pass_all_of_this_in_tritons_interpreter():
    """In a process of its own: Triton decides when it is imported whether it interprets."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", "fused", __file__]
    run = subprocess.run(command, env={**os.environ, "TRITON_INTERPRET": "1"}, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout[-3000:]
    assert run.stdout.count(".") >= 31
