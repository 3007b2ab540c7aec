"""All kernel sets at the released width, against float64 formulas on the CPU."""

import pytest
import torch

import gpu
from gpu import randn, relative_error
from zimage_core.kernels import CUDA, PLAIN, Kernels, SplitRow, select_kernels
from zimage_core.model.rope import rope_table

EPS, DIM, HEADS, HEAD, FFN = 1e-5, 3840, 30, 128, 10240
ITEMS, TOKENS = 2, 37  # ragged: not a multiple of any block size
ROW_KINDS = ("one row", "a row for each item", "clean and noisy")


def kernel_set(name: str) -> Kernels:
    if name == "stock":
        return CUDA
    pytest.importorskip("triton")
    from zimage_core.kernels import fused

    return Kernels(fused.norm, fused.add_normed, fused.qk_norm_rope, fused.swiglu)


def scale_row(kind, dtype):
    one, each = randn(1, 1, DIM, seed=1, dtype=dtype), randn(ITEMS, 1, DIM, seed=2, dtype=dtype)
    return {"one row": one, "a row for each item": each, "clean and noisy": SplitRow(one, each, 5)}[kind]


def random_inputs(dtype, n_ropes=1, ffn=FFN):
    """Inputs as in the model: tokens and RoPE tables may be slices of larger tensors."""
    positions = 90 * torch.rand(n_ropes, TOKENS + 3, 3, generator=torch.Generator().manual_seed(3))
    table = torch.cat([rope_table(each, (32, 48, 48), 256.0) for each in positions])[:, 3:]
    return {
        "x": 3 * randn(ITEMS, TOKENS, DIM, seed=4, dtype=dtype),
        "y": 3 * randn(ITEMS, TOKENS + 4, DIM, seed=5, dtype=dtype)[:, 4:],
        "qkv": randn(ITEMS, TOKENS, 3 * DIM, seed=6, dtype=dtype),
        "weights": randn(2, 1, HEAD, seed=7, dtype=dtype),
        "table": table.to(gpu.DEVICE),
        "gate": randn(ITEMS, TOKENS, ffn, seed=8, dtype=dtype),
        "up": randn(ITEMS, TOKENS, ffn, seed=9, dtype=dtype),
    }


def outputs(kernels: Kernels, inputs, row):
    before = {name: inputs[name].clone() for name in ("x", "y", "up")}
    q, k, v = kernels.qk_norm_rope(inputs["qkv"].clone(), inputs["weights"], inputs["table"], HEADS, EPS)
    found = {
        "norm": kernels.norm(inputs["y"], row, EPS),
        "add_normed": kernels.add_normed(inputs["x"], inputs["y"], row, EPS),
        "queries": q,
        "keys": k,
        "values": v,
        "swiglu": kernels.swiglu(inputs["gate"].clone(), inputs["up"]),
    }
    assert all(torch.equal(inputs[name], original) for name, original in before.items()), "an input was modified"
    return found


def truths(inputs, row):
    def rms(x):
        return x / (x.square().mean(-1, keepdim=True) + EPS).sqrt()

    def rotated(x):
        cos_sin = inputs["table"].cpu().double()[..., 0]  # (r, n, 1, m, 2): cosines and sines
        return torch.view_as_real(
            torch.view_as_complex(x.unflatten(-1, (-1, 2))) * torch.view_as_complex(cos_sin.contiguous())
        )

    x, y, qkv, weights, gate, up = (inputs[name].cpu().double() for name in ("x", "y", "qkv", "weights", "gate", "up"))
    if isinstance(row, SplitRow):
        clean, noisy = row.clean.cpu().double(), row.noisy.cpu().double()
        row = torch.cat((clean.expand(ITEMS, row.start, -1), noisy.expand(ITEMS, TOKENS - row.start, -1)), dim=1)
    normed = rms(y) * row.cpu().double()
    q, k, v = qkv.unflatten(-1, (3, HEADS, HEAD)).unbind(2)
    return {
        "norm": normed,
        "add_normed": x + normed,
        "queries": rotated(rms(q) * weights[0]).flatten(-2).transpose(1, 2),
        "keys": rotated(rms(k) * weights[1]).flatten(-2).transpose(1, 2),
        "values": v.transpose(1, 2),
        "swiglu": gate * torch.sigmoid(gate) * up,
    }


@pytest.mark.parametrize("kind", ROW_KINDS)
@pytest.mark.parametrize("n_ropes", [1, ITEMS])
@pytest.mark.parametrize("name", ["stock", "fused"])
def test_in_float32_every_kernel_computes_its_formula(name, n_ropes, kind):
    inputs, row = random_inputs(torch.float32, n_ropes, ffn=10007), scale_row(kind, torch.float32)
    found, expected = outputs(kernel_set(name), inputs, row), truths(inputs, row)
    errors = {each: relative_error(found[each], expected[each]) for each in expected}
    assert max(errors.values()) < 1e-6, errors
    assert errors["values"] == 0


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
@pytest.mark.parametrize("kind", ROW_KINDS)
@pytest.mark.parametrize("name", ["stock", "fused"])
def test_in_16_bits_no_kernel_set_has_larger_errors_than_the_plain_one(name, kind, dtype):
    inputs, row = random_inputs(dtype), scale_row(kind, dtype)
    found, plain, expected = outputs(kernel_set(name), inputs, row), outputs(PLAIN, inputs, row), truths(inputs, row)
    for each, truth in expected.items():
        assert found[each].dtype == dtype
        assert relative_error(found[each], truth) <= 1.1 * relative_error(plain[each], truth), each


@pytest.mark.parametrize("name", ["stock", "fused"])
def test_tensors_of_more_than_two_to_the_31_values_are_processed_completely(name):
    """The last tokens of a long sequence give the same outputs as on their own."""
    n, last, chosen = 2**31 // (3 * DIM) + 11, 3, kernel_set(name)
    if torch.cuda.mem_get_info()[0] < 10 * n * 3 * DIM * 2:
        pytest.skip("needs a GPU with more free memory")
    options = {"device": gpu.DEVICE, "dtype": torch.bfloat16}
    row, weights = randn(1, 1, DIM), randn(2, 1, HEAD)
    wide, rope = (
        torch.randn(1, n, 3 * DIM, **options),
        torch.eye(2, device=gpu.DEVICE).expand(1, n, 1, HEAD // 2, 2, 2),
    )
    alone = wide[:, -last:].clone()
    long, short = wide.view(1, 3 * n, DIM), alone.view(1, 3 * last, DIM)
    assert torch.equal(chosen.norm(long, row, EPS)[:, -3 * last :], chosen.norm(short, row, EPS))
    assert torch.equal(chosen.swiglu(wide.clone(), wide)[:, -last:], chosen.swiglu(alone.clone(), alone))
    expected = chosen.qk_norm_rope(alone.clone(), weights, rope[:, :last], HEADS, EPS)
    for found, single in zip(chosen.qk_norm_rope(wide, weights, rope, HEADS, EPS), expected, strict=True):
        assert torch.equal(found[:, :, -last:], single)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32], ids=str)
def test_a_kernel_set_is_chosen_without_warnings_and_cached(dtype):
    x = randn(1, 64, DIM, dtype=dtype)
    chosen = select_kernels(x)
    assert chosen != PLAIN
    with gpu.no_sync():
        assert select_kernels(x[:, :3]) == chosen
    assert not [sentence for sentence in gpu.WARNINGS.sentences if "fused kernels are off" in sentence]
    with torch.inference_mode(mode=False), torch.enable_grad():
        assert select_kernels(x) == PLAIN
