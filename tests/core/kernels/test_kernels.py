"""The sets of kernels: each against the mathematics written out in float64, and against the plain set's rounding."""

import os
import subprocess
import sys
from importlib.util import find_spec

import pytest
import torch
from torch import nn

from zimage_core.kernels import CPU, CUDA, PLAIN, Kernels, SplitRow, select_kernels, use_kernels
from zimage_core.kernels.fastest import fastest
from zimage_core.kernels.selection import load_fused, workload
from zimage_core.measure import agree
from zimage_core.model.block import weight_of
from zimage_core.model.rope import rope_table

IS_INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1"  # Triton's kernels run on a processor then, slowly
SETS = {"plain": PLAIN, "cpu": CPU, "cuda": CUDA}
if IS_INTERPRETED:
    (SETS["fused"],) = load_fused(torch.device("cpu"))
EPS = 1e-5
WIDTH, HEADS, HEAD = 96, 3, 32

pytestmark = pytest.mark.usefixtures("_no_gradients")


@pytest.fixture
def _no_gradients():
    with torch.inference_mode():
        yield


def rms(x):
    return x / (x.square().mean(-1, keepdim=True) + EPS).sqrt()


def spread(row, n_tokens):
    """A row written out for every token."""
    if not isinstance(row, SplitRow):
        return row.double()
    clean, noisy = row.clean.double(), row.noisy.double()
    return torch.cat((clean.expand(2, row.start, -1), noisy.expand(2, n_tokens - row.start, -1)), dim=1)


def rows(generator, dtype):
    one, each = (torch.randn(b, 1, WIDTH, generator=generator).to(dtype) for b in (1, 2))
    return {"one row": one, "a row for each item": each, "clean and noisy": SplitRow(one, each, 5)}


def error(out, truth):
    return ((out.double() - truth).norm() / truth.norm()).item()


def rotated(x, table):
    """Rotation with sines and cosines, pair by pair, in float64."""
    out = x.clone()
    for pair, matrix in enumerate(table.double().unbind(-3)):  # (r, n, 1, 2, 2)
        even, odd = x[..., 2 * pair], x[..., 2 * pair + 1]
        out[..., 2 * pair] = matrix[..., 0, 0] * even + matrix[..., 0, 1] * odd
        out[..., 2 * pair + 1] = matrix[..., 1, 0] * even + matrix[..., 1, 1] * odd
    return out


def heads_in_float64(qkv, weights, table):
    q, k, v = qkv.double().unflatten(-1, (3, HEADS, HEAD)).unbind(2)
    q, k = (rotated(rms(x) * w.double(), table) for x, w in zip((q, k), weights, strict=True))
    return [x.transpose(1, 2) for x in (q, k, v)]


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("which", ["one row", "a row for each item", "clean and noisy"])
def test_norms_and_gated_residuals_are_their_formulas(generator, name, which):
    x, y = (3 * torch.randn(2, 11, WIDTH, generator=generator) for _ in range(2))
    row = rows(generator, torch.float32)[which]
    truth = rms(y.double()) * spread(row, 11)
    kept = x.clone(), y.clone()
    assert error(SETS[name].norm(y, row, EPS), truth) < 3e-7
    assert error(SETS[name].add_normed(x, y, row, EPS), x.double() + truth) < 3e-7
    assert torch.equal(x, kept[0])
    assert torch.equal(y, kept[1])


@pytest.mark.parametrize("name", SETS)
def test_tiny_rows_feel_epsilon_and_empty_ones_stay_zero(generator, name):
    x = 1e-3 * torch.randn(1, 4, WIDTH, generator=generator)
    x[:, 2] = 0
    one = torch.ones(1, 1, WIDTH)
    out = SETS[name].norm(x, one, EPS)
    assert error(out, rms(x.double())) < 3e-7
    assert not out[:, 2].any()


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("n_ropes", [1, 2])
def test_heads_are_normed_and_rotated_as_written_out(generator, name, n_ropes):
    qkv = torch.randn(2, 7, 3 * HEADS * HEAD, generator=generator)
    weights = torch.randn(2, 1, HEAD, generator=generator)
    tables = [rope_table(50 * torch.rand(7, 3, generator=generator), (8, 12, 12), 256.0) for _ in range(n_ropes)]
    truth = heads_in_float64(qkv, weights, torch.cat(tables))
    for out, expected in zip(
        SETS[name].qk_norm_rope(qkv.clone(), weights, torch.cat(tables), HEADS, EPS), truth, strict=True
    ):
        assert error(out, expected) < 5e-7


@pytest.mark.parametrize("name", [name for name in SETS if name != "plain"])
def test_in_16_bits_no_set_is_further_from_the_truth_than_the_plain_one(generator, name):
    """The rounding the documentation promises: a tenth is what the choice of the moment can add on a sample."""
    half = torch.float16 if name == "fused" else torch.bfloat16  # Triton's interpreter cuts bfloat16 off, unrounded
    x, y = (3 * torch.randn(2, 64, WIDTH, generator=generator).to(half) for _ in range(2))
    qkv = torch.randn(2, 64, 3 * HEADS * HEAD, generator=generator).to(half)
    row = rows(generator, half)["one row"]
    weights = torch.randn(2, 1, HEAD, generator=generator).to(half)
    table = rope_table(50 * torch.rand(64, 3, generator=generator), (8, 12, 12), 256.0)
    normed = rms(y.double()) * row.double()
    truths = [normed, x.double() + normed, *heads_in_float64(qkv, weights, table)[:2]]

    def outputs(kernels: Kernels):
        q, k, _ = kernels.qk_norm_rope(qkv.clone(), weights, table, HEADS, EPS)
        return [kernels.norm(y, row, EPS), kernels.add_normed(x, y, row, EPS), q, k]

    for ours, plain, truth in zip(outputs(SETS[name]), outputs(PLAIN), truths, strict=True):
        assert ours.dtype == half
        assert error(ours, truth) <= 1.1 * error(plain, truth)


@pytest.mark.parametrize("name", SETS)
def test_swiglu_is_its_formula(generator, name):
    gate, up = (torch.randn(2, 5, 24, generator=generator) for _ in range(2))
    truth = gate.double() * torch.sigmoid(gate.double()) * up.double()
    assert error(SETS[name].swiglu(gate.clone(), up), truth) < 3e-7


def test_a_rope_table_is_read_as_complex_numbers_without_a_copy():
    from zimage_core.kernels.plain import rope_as_complex

    table = rope_table(torch.arange(30.0).reshape(10, 3), (8, 12, 12), 256.0)
    for part in (table, table[:, 3:]):
        assert rope_as_complex(part).untyped_storage().data_ptr() == table.untyped_storage().data_ptr()
        assert torch.equal(rope_as_complex(part), torch.complex(part[..., 0, 0], part[..., 1, 0]))
    copied = table.contiguous()
    assert torch.equal(rope_as_complex(copied), rope_as_complex(table))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("eps", [1e-5, None])
def test_a_norm_tells_its_weight_exactly(generator, dtype, eps):
    norm = nn.RMSNorm(WIDTH, eps=eps, dtype=dtype)
    norm.weight.data = torch.randn(WIDTH, generator=generator).to(dtype)
    assert torch.equal(weight_of(norm, torch.empty(1, dtype=dtype)), norm.weight)


def test_gradients_a_compiler_and_unknown_types_get_the_plain_set():
    x = torch.ones(1)
    assert select_kernels(x) is CPU
    assert select_kernels(x.half()) is PLAIN
    with use_kernels(PLAIN):
        assert select_kernels(x) is PLAIN
    with torch.inference_mode(mode=False), torch.enable_grad():
        assert select_kernels(x) is PLAIN


@pytest.mark.slow
@pytest.mark.skipif(IS_INTERPRETED or find_spec("triton") is None, reason="inside, or without Triton")
def test_the_fused_kernels_pass_all_of_this_in_tritons_interpreter():
    """In a process of its own: Triton decides when it is imported whether it interprets."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", "fused", __file__]
    run = subprocess.run(command, env={**os.environ, "TRITON_INTERPRET": "1"}, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout[-3000:]
    assert run.stdout.count(".") >= 8


CHOICES = {"agrees": lambda x: x, "differs": lambda x: x + 1, "is not a number": lambda x: x * float("nan")}


def cannot_run(x):
    raise RuntimeError("no compiler")


@pytest.mark.parametrize("answer", [*CHOICES, "cannot run", "cannot be loaded"])
@pytest.mark.parametrize("is_faster", [True, False])
def test_a_set_is_taken_if_it_agrees_and_is_faster_only(monkeypatch, caplog, answer, is_faster):
    def load(device):
        if answer == "cannot be loaded":
            raise ImportError("no Triton")
        return (CHOICES.get(answer, cannot_run),)

    times = iter([2.0, 1.0] if is_faster else [1.0, 2.0])
    monkeypatch.setattr("zimage_core.kernels.fastest.seconds", lambda run: next(times))
    monkeypatch.setattr("zimage_core.kernels.fastest.find_spec", lambda name: True)
    stock = abs
    chosen = fastest(stock, load, lambda each, x: each(x.abs()), torch.device("cpu"), torch.float32, 8)
    assert (chosen is stock) == (answer != "agrees" or not is_faster)
    assert ("fused kernels are off" in caplog.text) == (answer != "agrees")


def test_one_that_fails_does_not_stand_in_the_way_of_another(monkeypatch):
    others = (cannot_run, CHOICES["differs"], CHOICES["agrees"])
    times = iter([2.0, 1.0])
    monkeypatch.setattr("zimage_core.kernels.fastest.seconds", lambda run: next(times))
    monkeypatch.setattr("zimage_core.kernels.fastest.find_spec", lambda name: True)
    chosen = fastest(abs, lambda device: others, lambda each, x: each(x.abs()), torch.device("cpu"), torch.float32, 16)
    assert chosen is CHOICES["agrees"]


def test_the_workload_uses_all_four_kernels_as_the_released_network_does(generator):
    """Its heads, 30 of 128, and rows that are split between clean and noisy tokens, too."""
    used = []

    def counted(name, run):
        return lambda *args: used.append((name, args)) or run(*args)

    counting = Kernels(*(counted(name, run) for name, run in PLAIN._asdict().items()))
    out = workload(counting, torch.randn(1, 8, 3840, generator=generator))
    assert out.isfinite().all()
    assert {name for name, _ in used} == set(PLAIN._fields)
    assert [args[3] for name, args in used if name == "qk_norm_rope"] == [30]
    for kernel in ("norm", "add_normed"):
        rows = [args[-2] for name, args in used if name == kernel]
        assert [isinstance(row, SplitRow) for row in rows] == [False, True]


@pytest.mark.parametrize("flaw", ["rotation", "split row"])
def test_the_workload_tells_a_wrong_rotation_and_a_wrong_split(generator, flaw):
    def unrotated(qkv, weights, rope, n_heads, eps):
        return PLAIN.qk_norm_rope(qkv, weights, torch.eye(2).expand_as(rope), n_heads, eps)

    def unsplit(x, row, eps):
        return PLAIN.norm(x, row.clean if isinstance(row, SplitRow) else row, eps)

    wrong = PLAIN._replace(**({"qk_norm_rope": unrotated} if flaw == "rotation" else {"norm": unsplit}))
    x = torch.randn(1, 64, 256, generator=generator)
    assert not agree(workload(wrong, x), workload(PLAIN, x))
