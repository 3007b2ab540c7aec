"""Newer FlashAttention by consent: the newest a card can run, in its own layout, and only while it is right.

The packages are stand-ins that take what the real ones take and compute with PyTorch.
"""

import importlib
import sys
from types import ModuleType

import pytest
import torch
from torch.nn.functional import scaled_dot_product_attention

MODULES = {"FlashAttention 4": "flash_attn.cute", "FlashAttention 3": "flash_attn_interface"}


@pytest.fixture(scope="module")
def flash(pack):
    return importlib.import_module("zimage_pack.nodes.bridge.patches.flash")


def attention(q, k, v, softmax_scale=None, causal=False):
    """Their maths: (batch, tokens, heads, width) in and out, key heads shared in order."""
    assert q.shape[1:3] != q.shape[2:0:-1], "tokens and heads must differ for their order to be seen"
    q, k, v = (x.transpose(1, 2) for x in (q, k, v))
    out = scaled_dot_product_attention(q, k, v, scale=softmax_scale, is_causal=causal, enable_gqa=True)
    return out.transpose(1, 2)


@pytest.fixture
def install(monkeypatch):
    def run(name, function):
        *parents, _ = (module := MODULES[name]).split(".")
        for each in (*parents, module):
            monkeypatch.setitem(sys.modules, each, ModuleType(each))
        sys.modules[module].flash_attn_func = function

    return run


@pytest.fixture
def gpu(flash, monkeypatch):
    def run(number):
        monkeypatch.setattr(flash, "major_capability", lambda device: number)

    return run


@pytest.mark.parametrize(
    ("installed", "number", "chosen"),
    [
        (("FlashAttention 4", "FlashAttention 3"), 9, "FlashAttention 4"),
        (("FlashAttention 3",), 9, "FlashAttention 3"),
        (("FlashAttention 4", "FlashAttention 3"), 12, "FlashAttention 4"),
        (("FlashAttention 3",), 12, None),
        (("FlashAttention 4", "FlashAttention 3"), 8, None),
        (("FlashAttention 4", "FlashAttention 3"), None, None),
        ((), 9, None),
    ],
)
def test_the_newest_generation_that_a_card_can_run_is_taken(flash, install, gpu, installed, number, chosen):
    for name in installed:
        install(name, attention)
    gpu(number)
    found = flash.newest(torch.device("cpu"))
    assert (found and found[0]) == chosen


def test_a_package_that_cannot_be_loaded_is_as_good_as_none(flash, gpu, monkeypatch, tmp_path, caplog):
    (tmp_path / "flash_attn_interface.py").write_text(
        "raise OSError('libcudart.so.12: cannot open shared object file')"
    )
    monkeypatch.syspath_prepend(tmp_path)
    caplog.set_level("INFO")
    gpu(9)
    assert flash.newest(torch.device("cpu")) is None
    assert "FlashAttention 3 cannot be loaded: libcudart.so.12" in caplog.text


def test_a_processor_has_no_generation(flash):
    assert flash.major_capability(torch.device("cpu")) is None


def stock(comfy):
    return comfy.ldm.modules.attention.attention_pytorch


def tensors(heads=3, key_heads=3, is_split=True, dtype=torch.bfloat16):
    generator = torch.Generator().manual_seed(0)
    q, k, v = (torch.randn(2, n, 20, 16, generator=generator).to(dtype) for n in (heads, key_heads, key_heads))
    return (q, k, v) if is_split else tuple(x.transpose(1, 2).flatten(2) for x in (q, k, v))


@pytest.mark.parametrize("answers", ["tensor", "tensor and sums"])
@pytest.mark.parametrize("is_split", [True, False], ids=["heads apart", "heads together"])
@pytest.mark.parametrize("stays_split", [True, False], ids=["heads apart", "heads together"])
def test_layouts_are_comfyuis_on_both_sides(comfy, flash, answers, is_split, stays_split):
    calls = []

    def package(q, k, v, **named):
        calls.append(q.shape)
        out = attention(q, k, v, **named)
        return out if answers == "tensor" else (out, out[..., 0].float())

    run = flash.CheckedAttention("FlashAttention", package)
    layout = {"skip_reshape": is_split, "skip_output_reshape": stays_split}
    for _ in range(2):
        found = run(stock(comfy), *tensors(is_split=is_split), 3, **layout, transformer_options={})
        torch.testing.assert_close(found, stock(comfy)(*tensors(is_split=is_split), 3, **layout))
    assert calls == [(2, 20, 3, 16)] * 2


def test_a_scale_and_shared_key_heads_reach_the_package(comfy, flash):
    run = flash.CheckedAttention("FlashAttention", attention)
    words = {"skip_reshape": True, "scale": 0.5, "enable_gqa": True}
    q, k, v = tensors(heads=4, key_heads=2)
    for _ in range(2):
        torch.testing.assert_close(run(stock(comfy), q, k, v, 4, **words), stock(comfy)(q, k, v, 4, **words))
    assert not run.is_off


def test_it_is_asked_beside_comfyuis_once_for_every_shape(flash):
    calls = []

    def theirs(q, k, v, heads, **named):
        calls.append(tuple(q.shape))
        return scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)

    run = flash.CheckedAttention("FlashAttention", attention)
    for n in (20, 20, 12, 20, 12):
        run(theirs, *(x[:, :, :n] for x in tensors()), 3, skip_reshape=True)
    assert calls == [(2, 3, 20, 16), (2, 3, 12, 16)]


def raises(q, k, v, **named):
    raise ValueError("head dim 16 is not supported\nsomewhere deep")


def is_wrong(q, k, v, **named):
    return attention(q, k, v, **named) * 1.1


def is_nan(q, k, v, **named):
    return attention(q, k, v, **named) * float("nan")


def takes_other_layout(q, k, v, **named):
    return scaled_dot_product_attention(q, k, v)


@pytest.mark.parametrize(
    ("package", "trouble"),
    [
        (raises, "head dim 16 is not supported"),
        (is_wrong, "it does not agree with ComfyUI's"),
        (is_nan, "it does not agree with ComfyUI's"),
        (takes_other_layout, "it does not agree with ComfyUI's"),
    ],
)
def test_what_fails_or_is_wrong_is_off_from_its_first_call_on(comfy, flash, package, trouble, caplog):
    calls = []

    def counted(*args, **kwargs):
        calls.append(1)
        return package(*args, **kwargs)

    run = flash.CheckedAttention("FlashAttention 3", counted)
    for _ in range(3):
        found = run(stock(comfy), *tensors(), 3, skip_reshape=True)
        assert torch.equal(found, stock(comfy)(*tensors(), 3, skip_reshape=True))
    assert len(calls) == 1
    assert [record.message for record in caplog.records] == [
        f"Z-Image: FlashAttention 3 is off, ComfyUI's attention runs instead: {trouble}"
    ]


def test_masks_and_wide_types_go_to_comfyuis_attention(flash):
    run = flash.CheckedAttention("FlashAttention", raises)
    assert run(lambda *args, **named: named, *tensors(), 3, mask="mask") == {"mask": "mask"}
    assert run(lambda *args, **named: "theirs", *tensors(dtype=torch.float32), 3) == "theirs"
    assert not run.is_off


def test_the_node_names_the_generation_it_found(pack, native, install, gpu, tmp_path):
    optimize = importlib.import_module("zimage_pack.nodes.bridge.patches.optimize")
    install("FlashAttention 3", attention)
    gpu(9)
    model = native.ours(pack, tmp_path)
    optimized, report = optimize.optimize(model, optimize.KEEP, optimize.FLASH, optimize.OFF)
    assert "attention: FlashAttention 3, where it gives ComfyUI's result" in report.splitlines()
    override = optimized.model_options["transformer_options"]["optimized_attention_override"]
    assert override.attend is attention and override.zimage_step_invariant is True
    for other in (optimize.AUTOMATIC, optimize.SAGE):  # only by consent
        assert "FlashAttention" not in optimize.optimize(model, optimize.KEEP, other, optimize.OFF).report
