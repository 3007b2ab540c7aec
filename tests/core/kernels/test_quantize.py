"""Kernels that round what they make to 8 bits, and Triton's 8-bit products, against the formulas in float64."""

import os
import subprocess
import sys
from importlib.util import find_spec

import pytest
import torch

from zimage_core.kernels import (
    CPU,
    PLAIN,
    QuantizedTensor,
    QuantSpec,
    SplitRow,
    quantize,
    select_kernels,
    select_quant_kernels,
    selection,
    use_kernels,
)
from zimage_core.kernels.quantization import unfused
from zimage_core.kernels.rotation import hadamard
from zimage_core.kernels.selection import quant_workload

IS_INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1"  # Triton's kernels run on a processor then, slowly
SETS = {name: unfused(each.norm, each.swiglu) for name, each in {"plain": PLAIN, "cpu": CPU}.items()}
GEMMS = {}
if IS_INTERPRETED:
    from zimage_core.kernels.selection import load_fused_quant
    from zimage_core.quant import fused_int8

    (SETS["fused"],) = load_fused_quant(torch.device("cpu"))
    GEMMS["fused"] = fused_int8

EPS, WIDTH, GROUP = 1e-5, 768, 256
SPECS = {
    "int8": QuantSpec(torch.int8),
    "int8, rotated": QuantSpec(torch.int8, GROUP),
    "fp8": QuantSpec(torch.float8_e4m3fn),
    "fp8, rotated": QuantSpec(torch.float8_e4m3fn, GROUP),
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


def rotated(x, spec):
    if spec.rotation_group is None:
        return x.double()
    whole = torch.block_diag(*[hadamard(GROUP).double()] * (x.shape[-1] // GROUP))
    return x.double() @ whole


def hold(rows, truth, spec):
    """Every number is one of the two nearest to the truth, each row uses its whole range, and zero stays zero."""
    truth = rotated(truth, spec)
    values = rows.values.double() * rows.scale.double()
    expected = truth.abs().amax(-1, keepdim=True) / spec.qmax
    torch.testing.assert_close(rows.scale.double(), expected.clamp_min(1e-12), atol=0, rtol=2e-6)
    step = rows.scale.double()
    if spec.dtype != torch.int8:  # three bits of mantissa
        step = (truth.abs() / 8).clamp_min(step * 2**-9)
        if IS_INTERPRETED:  # which cuts subnormals off, and loses the carry to the next power of two
            ratio = truth.abs() / rows.scale
            values = torch.where((ratio < 2**-6) | (torch.frexp(ratio).mantissa > 0.96), truth, values)
    assert ((values - truth).abs() <= step / 2 * (1 + 1e-3)).all()
    assert not rows.values.float()[0, 2].any()


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("which", SPECS)
def test_tokens_are_rounded_to_the_nearest(generator, name, which):
    x, spec = tokens(generator, 2, 5, WIDTH), SPECS[which]
    hold(SETS[name].quantize(x, spec), x, spec)


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("which", SPECS)
@pytest.mark.parametrize("kind", ["one row", "clean and noisy"])
def test_norms_round_what_they_make(generator, name, which, kind):
    x, spec = tokens(generator, 2, 5, WIDTH), SPECS[which]
    one, each = torch.randn(1, 1, WIDTH, generator=generator), torch.randn(2, 1, WIDTH, generator=generator)
    row = one if kind == "one row" else SplitRow(one, each, 2)
    factor = one if kind == "one row" else torch.cat((one.expand(2, 2, -1), each.expand(2, 3, -1)), dim=1)
    truth = x.double() / (x.double().square().mean(-1, keepdim=True) + EPS).sqrt() * factor
    hold(SETS[name].norm(x, row, EPS, spec), truth, spec)


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("which", SPECS)
@pytest.mark.parametrize("width", [WIDTH, 10 * GROUP], ids=["one piece", "a piece and a bit"])
def test_gated_products_are_rounded(generator, name, which, width):
    gate, up = torch.randn(1, 3, width, generator=generator), tokens(generator, 1, 3, width)
    truth = gate.double() * torch.sigmoid(gate.double()) * up.double()
    hold(SETS[name].swiglu(gate.clone(), up, SPECS[which]), truth, SPECS[which])


@pytest.mark.parametrize("name", SETS)
def test_what_float16_cannot_hold_is_rounded_all_the_same(generator, name):
    gate, up = (torch.full((1, 4, WIDTH), 400.0, dtype=torch.float16) for _ in range(2))  # 160,000 each
    rows = SETS[name].swiglu(gate, up, SPECS["int8"])
    assert rows.scale.isfinite().all()
    assert (rows.values == 127).all()


@pytest.mark.parametrize("name", [name for name in SETS if name == "fused"])
def test_rounding_on_the_way_is_no_further_from_the_truth_than_rounding_twice(generator, name):
    x = tokens(generator, 2, 9, WIDTH).half()
    row = torch.randn(1, 1, WIDTH, generator=generator).half()
    truth = x.double() / (x.double().square().mean(-1, keepdim=True) + EPS).sqrt() * row.double()
    for spec in (SPECS["int8"], SPECS["int8, rotated"]):

        def error(chosen, spec=spec):
            rows = chosen.norm(x, row, EPS, spec)
            return (rows.values.double() * rows.scale - rotated(truth, spec)).norm()

        assert error(SETS[name]) <= 1.02 * error(SETS["plain"])


@pytest.mark.parametrize("name", [name for name in SETS if name == "fused"])
def test_groups_no_kernel_knows_are_refused(name):
    with pytest.raises(ValueError, match="in groups of 256"):
        SETS[name].quantize(torch.ones(1, 2, 128), QuantSpec(torch.int8, 64))


@pytest.mark.parametrize("name", GEMMS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
@pytest.mark.parametrize("shape", [(37, 200, 150), (130, 256, 300)], ids=["ragged", "more than a tile"])
def test_fused_int8_products_are_exact_but_for_their_last_rounding(generator, name, dtype, shape):
    n, i, o = shape
    left = quantize(torch.randn(n, i, generator=generator).to(dtype), SPECS["int8"])
    right = quantize(torch.randn(o, i, generator=generator), SPECS["int8"])
    whole = left.values.int() @ right.values.int().T
    truth = whole.double() * left.scale.double() * right.scale.double().T
    tolerance = {"atol": 1e-30, "rtol": 2 * torch.finfo(dtype).eps}
    for out in (GEMMS[name].scaled_gemm(left, right), GEMMS[name].apply_scales(whole, left, right)):
        assert out.dtype == dtype
        torch.testing.assert_close(out.double(), truth, **tolerance)


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("which", SPECS)
def test_what_sets_are_compared_on_is_what_all_three_make(generator, name, which):
    x, spec = tokens(generator, 1, 7, WIDTH), SPECS[which]
    out = quant_workload(spec)(SETS[name], x)
    gated = x.double() * torch.sigmoid(x.double()) * x.double()
    normed = x.double() / (x.double().square().mean(-1, keepdim=True) + EPS).sqrt()
    split = torch.cat((normed[:, :3], -2 * normed[:, 3:]), dim=1)
    truth = torch.cat([rotated(each, spec) for each in (x, normed, gated, split)], dim=1)
    assert (out - truth).norm() / truth.norm() < (
        0.01 if which == "int8, rotated" else 0.04
    )  # outliers cost the others


def test_rows_get_the_kernels_of_the_tokens_they_were():
    x = torch.ones(1, 2, WIDTH)
    rows = QuantizedTensor(x.to(torch.int8), x[..., :1], torch.float32)
    assert rows.shape == x.shape
    assert select_kernels(rows) is select_kernels(x) is CPU
    with use_kernels(PLAIN):
        assert select_quant_kernels(rows, SPECS["int8"]) is unfused(PLAIN.norm, PLAIN.swiglu)


class OnGpu(QuantizedTensor):
    """Tokens that say they are on a GPU."""

    device = torch.device("cuda")


def test_groups_no_fused_kernel_rotates_by_are_not_tried(monkeypatch):
    """Nano's int8 layers rotate in groups of 64: the stock set, and no sentence that kernels are off."""
    asked = []
    monkeypatch.setattr(selection, "fastest", lambda stock, *rest: asked.append(rest[-1]) or stock)
    for width, group, is_asked in [(192, 64, False), (192, 256, False), (768, 256, True), (192, None, True)]:
        asked.clear()
        on_gpu = OnGpu(torch.ones(1, 2, width, dtype=torch.int8), torch.ones(1, 2, 1), torch.float32)
        select_quant_kernels(on_gpu, QuantSpec(torch.int8, group))
        assert asked == ([width] * (2 if is_asked else 1))  # first for the plain set, then for the quantizing one


@pytest.mark.slow
@pytest.mark.skipif(IS_INTERPRETED or find_spec("triton") is None, reason="inside, or without Triton")
def test_the_fused_kernels_pass_all_of_this_in_tritons_interpreter():
    """In a process of its own: Triton decides when it is imported whether it interprets."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", "fused", __file__]
    run = subprocess.run(command, env={**os.environ, "TRITON_INTERPRET": "1"}, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout[-3000:]
    assert run.stdout.count(".") >= 31
