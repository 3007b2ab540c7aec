"""Formulas that dequantize packed weights to float32, one tensor at a time.

Letters: o rows (output features), i columns (input features), g a group of columns.

Formats and companions are those of ComfyUI's quantized safetensors (comfy/quant_ops.py).
Scales multiply in float32, and the caller rounds once. ComfyUI rounds scale and weight to bfloat16 first, so its
bfloat16 values differ in the last bit; its float32 values are equal.
"""

from functools import lru_cache

import torch
from einops import rearrange
from torch import Tensor

from ..._shapes import Float, UInt8
from ...kernels.rotation import rotated

# E2M1: sign, two bits of exponent, one of mantissa (OCP Microscaling Formats 1.0, section 5.3.3).
E2M1 = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, -0.0, -0.5, -1.0, -1.5, -2.0, -3.0, -4.0, -6.0)
NVFP4_BLOCK, MXFP8_BLOCK = 16, 32  # columns that share a scale
SWIZZLE_ROWS, SWIZZLE_COLUMNS = (
    128,
    4,
)  # the tile in which scales are stored (cuBLAS, "1D block scaling factors layout")


def scaled(weight: Tensor, scale: Tensor) -> Float[Tensor, "o i"]:
    """W = q · scale: 8-bit floats or int8 with one scale, or one per row."""
    return weight.float() * scale.float()


def convrot(weight: Tensor, scale: Tensor, group: int) -> Float[Tensor, "o i"]:
    """W = (q · scale) · H in every group of columns: the rotation of ConvRot undone."""
    return rotated(scaled(weight, scale), group)  # its matrix is its own inverse


def nvfp4(weight: UInt8[Tensor, "o half"], block_scale: Tensor, scale: Tensor) -> Float[Tensor, "o i"]:
    """W = code · (scale · block scale), two codes a byte, the high half first, one block scale per 16 columns."""
    rows = len(weight)
    codes = _byte_values().index_select(0, weight.flatten().int())  # (o half, 2)
    blocks = rearrange(codes, "(o n k) two -> o n (k two)", o=rows, k=NVFP4_BLOCK // 2)
    scales = unswizzle(block_scale.view(torch.float8_e4m3fn), rows, blocks.shape[1]).float()
    return rearrange(blocks * (scale.float() * scales)[..., None], "o n k -> o (n k)")


def mxfp8(weight: Tensor, block_scale: Tensor) -> Float[Tensor, "o i"]:
    """W = q · 2^(e - 127), one exponent e per 32 columns; e = 0 is an empty block."""
    blocks = rearrange(weight.float(), "o (n k) -> o n k", k=MXFP8_BLOCK)
    exponents = unswizzle(block_scale.view(torch.uint8), len(weight), blocks.shape[1])
    powers = (exponents.int() << 23).view(torch.float32)  # a float32 keeps its exponent in bits 23 to 30
    return rearrange(blocks * powers[..., None], "o n k -> o (n k)")


def unswizzle(stored: Tensor, rows: int, blocks: int) -> Tensor:
    """Scales (o, n) from the tiled order in which tensor cores read them."""
    row, block = torch.arange(rows)[:, None], torch.arange(blocks)
    n_tiles = -(-blocks // SWIZZLE_COLUMNS)
    tile = (row // SWIZZLE_ROWS) * n_tiles + block // SWIZZLE_COLUMNS
    inside = (row % 32) * 16 + (row % SWIZZLE_ROWS) // 32 * 4 + block % SWIZZLE_COLUMNS
    # indexed as bytes: 8-bit floats do not support indexing
    return stored.view(torch.uint8).flatten()[tile * SWIZZLE_ROWS * SWIZZLE_COLUMNS + inside].view(stored.dtype)


def swizzled_size(rows: int, blocks: int) -> int:
    """How many scales are stored for `rows` rows of `blocks` blocks: always whole tiles."""
    return -(-rows // SWIZZLE_ROWS) * SWIZZLE_ROWS * -(-blocks // SWIZZLE_COLUMNS) * SWIZZLE_COLUMNS


@lru_cache(maxsize=1)
def _byte_values() -> Float[Tensor, "256 2"]:
    """The two values in each byte of NVFP4."""
    codes = torch.tensor(E2M1)
    byte = torch.arange(256)
    return torch.stack([codes[byte >> 4], codes[byte & 15]], dim=1)
