"""The Triton kernels, compiled at the released widths for graphics cards that are not here.

Triton and the assembler it brings need no card for that. What they tell is counted: registers spilled to memory, and
shared memory, of which a consumer card has 99 KiB for a program.
"""

import re
import subprocess
from pathlib import Path

import pytest

triton = pytest.importorskip("triton")

from triton.backends.compiler import GPUTarget  # noqa: E402
from triton.compiler import ASTSource  # noqa: E402

from zimage_core.config import TURBO_DIT  # noqa: E402
from zimage_core.kernels import fused, fused_quantization  # noqa: E402
from zimage_core.quant import fused_int8  # noqa: E402

CAPABILITIES = {"Ampere": 80, "Ada": 89, "Hopper": 90, "Blackwell": 120}
MOST_SHARED = 99 * 1024  # bytes
D, F, E = TURBO_DIT.dim, TURBO_DIT.ffn_dim, TURBO_DIT.head_dim

ROW = {"row": "*bf16", "n": "i32", "start": "i32", "clean_stride": "i32", "noisy_stride": "i32", "eps": "fp32"}
ROW |= {"clean": "*bf16", "noisy": "*bf16"}
QUANTIZE = {"out": "*i8", "scales": "*fp32", "rotation": "*fp32", "qmax": "fp32"}
WHOLE = {"WIDTH": D, "BLOCK": 4096, "IS_ROTATED": True}
STRIDES = dict.fromkeys(("token_stride", "item_stride", "position_stride", "pair_stride", "matrix_row_stride"), "i32")

KERNELS = {
    "norm": (
        fused._norm,
        {**ROW, "x": "*bf16", "y": "*bf16", "out": "*bf16"},
        {"WIDTH": D, "BLOCK": 4096, "HAS_RESIDUAL": True},
    ),
    "heads": (
        fused._qk_norm_rope,
        {"qkv": "*bf16", "weights": "*bf16", "rope": "*fp32", "n": "i32", "eps": "fp32", **STRIDES},
        {"N_HEADS": TURBO_DIT.n_heads, "HEADS": 32, "WIDTH": E, "BLOCK": E},
    ),
    "swiglu": (fused._swiglu, {"gate": "*bf16", "up": "*bf16", "size": "i32"}, {"CHUNK": fused.CHUNK}),
    "rounded": (fused_quantization._quantize, {"x": "*bf16", **QUANTIZE}, WHOLE),
    "rounded norm": (fused_quantization._norm_and_quantize, {"x": "*bf16", **ROW, **QUANTIZE}, WHOLE),
    "rounded swiglu": (
        fused_quantization._swiglu_and_quantize,
        {"gate": "*bf16", "up": "*bf16", **QUANTIZE},
        {"WIDTH": F, "CHUNK": fused_quantization.CHUNK, "IS_ROTATED": True},
    ),
    "int8 product": (
        fused_int8._gemm,
        {
            **{"left": "*i8", "right": "*i8", "left_scale": "*fp32", "right_scale": "*fp32", "out": "*bf16"},
            **{"n": "i32", "o": "i32"},
        },
        {"WIDTH": D, **{name: getattr(fused_int8, name) for name in ("TILE_N", "TILE_O", "TILE_I", "GROUP_TILES")}},
    ),
    "int8 scales": (
        fused_int8._scale,
        {"accumulated": "*i32", "left_scale": "*fp32", "right_scale": "*fp32", "out": "*bf16", "o": "i32"},
        {"CHUNK": fused_int8.CHUNK},
    ),
}


EVEN = {"n", "o", "start", "size", *STRIDES} - {
    "pair_stride",
    "matrix_row_stride",
}  # multiples of 16, as Triton finds itself


def compiled(kernel, types, constants, capability):
    names = kernel.arg_names
    source = ASTSource(
        fn=kernel,
        signature={name: "constexpr" if name in constants else types[name] for name in names},
        constexprs={(names.index(name),): value for name, value in constants.items()},
        attrs={(names.index(n),): [["tt.divisibility", 16]] for n in names if n in EVEN or types.get(n, "")[:1] == "*"},
    )
    options = fused_int8.LAUNCH if kernel is fused_int8._gemm else {}
    return triton.compile(source, target=GPUTarget("cuda", capability, 32), options=options)


def spilled(made, capability, folder):
    """Bytes of registers written to memory, as the assembler says."""
    text = folder / "kernel.ptx"
    text.write_text(made.asm["ptx"])
    tools = Path(triton.__file__).parent / "backends/nvidia/bin"
    tool = tools / ("ptxas-blackwell" if capability >= 100 and (tools / "ptxas-blackwell").exists() else "ptxas")
    target = re.search(r"\.target (\w+)", made.asm["ptx"])[1]
    command = [tool, "-v", f"--gpu-name={target}", text, "-o", folder / "kernel.cubin"]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stderr
    return int(re.search(r"(\d+) bytes spill stores", told)[1])


@pytest.mark.slow
@pytest.mark.parametrize("name", KERNELS)
@pytest.mark.parametrize("generation", ["Ampere", "Hopper"])
def test_every_kernel_compiles_and_keeps_to_its_registers(tmp_path, name, generation):
    capability = CAPABILITIES[generation]
    made = compiled(*KERNELS[name], capability)
    assert spilled(made, capability, tmp_path) == 0
    assert made.metadata.shared <= MOST_SHARED


@pytest.mark.parametrize("name", [name for name in KERNELS if name != "int8 product"])
def test_memory_is_read_and_written_many_bytes_at_a_time(name):
    """What these kernels save is memory traffic; element by element a card would not reach its bandwidth."""
    text = compiled(*KERNELS[name], CAPABILITIES["Hopper"]).asm["ptx"]
    assert re.search(r"ld\.global(\.\w+)*\.v4\.b32", text) or "cp.async.cg.shared.global" in text
    assert re.search(r"st\.global(\.\w+)*\.v[24]\.b(32|64)", text)


@pytest.mark.slow
@pytest.mark.parametrize("generation", ["Ada", "Hopper", "Blackwell"])
@pytest.mark.parametrize("name", ["rounded norm", "rounded swiglu"])
def test_cards_that_multiply_e4m3_round_to_it(tmp_path, name, generation):
    capability = CAPABILITIES[generation]
    kernel, types, constants = KERNELS[name]
    made = compiled(kernel, {**types, "out": "*fp8e4nv"}, {**constants, "IS_ROTATED": False}, capability)
    assert "cvt.rn.satfinite.e4m3x2" in made.asm["ptx"]
    assert spilled(made, capability, tmp_path) == 0


@pytest.mark.parametrize(
    ("generation", "instruction"), [("Ampere", "mma.sync.aligned.m16n8k32"), ("Hopper", "wgmma.mma_async")]
)
def test_int8_products_run_on_tensor_cores(generation, instruction):
    text = compiled(*KERNELS["int8 product"], CAPABILITIES[generation]).asm["ptx"]
    assert instruction in text
    assert ".s32.s8.s8" in text


@pytest.mark.parametrize("architecture", ["gfx1100", "gfx90a"])
def test_rotations_compile_for_amd_which_has_no_tf32(monkeypatch, architecture):
    monkeypatch.setattr(
        fused_quantization, "PRECISION", triton.language.constexpr("ieee")
    )  # as where PyTorch is ROCm's
    kernel, types, constants = KERNELS["rounded norm"]
    names = kernel.arg_names
    source = ASTSource(
        fn=kernel,
        signature={name: "constexpr" if name in constants else types[name] for name in names},
        constexprs={(names.index(name),): value for name, value in constants.items()},
    )
    lanes = 32 if architecture == "gfx1100" else 64
    assert triton.compile(source, target=GPUTarget("hip", architecture, lanes)).asm["amdgcn"]
