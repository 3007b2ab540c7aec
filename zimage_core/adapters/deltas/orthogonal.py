"""OFT and BOFT (arXiv 2306.07280 and 2311.06243), weight deltas that rotate the outputs of a layer in small blocks.

Letters: o output width, k blocks, b outputs of a block, m stages of a butterfly.

A block of the file is any matrix B. Cayley's transform of the skew-symmetric Q = B - B.T is a rotation,
R = (1 + Q) (1 - Q)^-1. A constraint bounds the norm of all Q together.

Files and strengths are read as by ComfyUI (comfy/weight_adapter, oft.py and boft.py), where neither is linear in the
strength: OFT counts it twice and leaves `rescale` out, BOFT turns every stage by it.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from einops import einsum, rearrange
from torch import Tensor

from ..._shapes import Float

EPS = 1e-8  # added to the norm that is compared with the constraint


@dataclass(frozen=True, kw_only=True)
class OFT:
    """W' = R.T W block by block; at a strength s, W + s² (R.T - 1) W."""

    blocks: Tensor  # (k, b, b)
    constraint: float | None = None  # `alpha` in files; None or 0: none
    rescale: Tensor | None = None  # a factor for every output, kept to be written again
    rank: ClassVar[None] = None
    alpha: ClassVar[None] = None

    def __post_init__(self) -> None:
        if self.blocks.ndim != 3 or self.blocks.shape[1] != self.blocks.shape[2] or not self.blocks.numel():
            raise ValueError(f"its oft_blocks have shape {tuple(self.blocks.shape)}, which are no square blocks")

    @property
    def kind(self) -> str:
        return "OFT" if self.rescale is None else "OFT (without its rescale, as in ComfyUI)"

    @property
    def shape(self) -> tuple[int]:
        """Its height; a rotation of the outputs fits weights of every input width."""
        return (self.blocks.shape[0] * self.blocks.shape[1],)

    def change(self, weight: Float[Tensor, "o ..."], strength: float = 1.0) -> Float[Tensor, "o ..."]:
        """What a strength adds to this weight."""
        return _for_outputs(weight, lambda outputs: self.turn(outputs, strength))

    def rotations(self) -> Float[Tensor, "k b b"]:
        """R of every block, in float32."""
        return cayley(self.blocks, self.constraint)

    def turn(
        self, outputs: Float[Tensor, "... o"], strength: float, rotations: Float[Tensor, "k b b"] | None = None
    ) -> Float[Tensor, "... o"]:
        """What a strength adds to the outputs x @ W.T; the rotations may have been computed before."""
        size = self.blocks.shape[1]
        rotation = (self.rotations() if rotations is None else rotations).to(outputs)
        difference = strength * strength * (rotation - torch.eye(size, device=outputs.device, dtype=outputs.dtype))
        grouped = rearrange(outputs, "... (k b) -> ... k b", b=size)
        return einsum(difference, grouped, "k n m, ... k n -> ... k m").flatten(-2)

    def rows(self, start: int, stop: int) -> "OFT":
        """The OFT of rows start to stop. Raises `ValueError` if a cut does not fall between two blocks."""
        size = self.blocks.shape[1]
        if start % size or stop % size:
            raise ValueError(f"an OFT with blocks of {size} cannot be cut at rows {start} and {stop}")
        blocks = bounded(self.blocks, self.constraint)[start // size : stop // size]
        rescale = None if self.rescale is None else self.rescale[start:stop]
        return replace(self, blocks=blocks, constraint=None, rescale=rescale)


@dataclass(frozen=True, kw_only=True)
class BOFT:
    """W' = rescale * R_m ... R_1 W, each stage a rotation of other blocks of rows, in the order of a butterfly."""

    blocks: Tensor  # (m, k, b, b)
    constraint: float | None = None
    rescale: Tensor | None = None  # (o, 1)
    kind: ClassVar[str] = "BOFT"
    rank: ClassVar[None] = None
    alpha: ClassVar[None] = None

    def __post_init__(self) -> None:
        stages, count, size, width = self.blocks.shape if self.blocks.ndim == 4 else (0, 0, 0, 0)
        if not self.blocks.numel() or size != width or size % 2 or count % 2 ** (stages - 1):
            raise ValueError(f"its oft_blocks have shape {tuple(self.blocks.shape)}, which make no butterfly")
        if self.rescale is not None and self.rescale.numel() not in (1, count * size):
            raise ValueError(f"its rescale has shape {tuple(self.rescale.shape)}, not {(count * size, 1)}")

    @property
    def shape(self) -> tuple[int]:
        """Its height, as of OFT."""
        return (self.blocks.shape[1] * self.blocks.shape[2],)

    def change(self, weight: Float[Tensor, "o ..."], strength: float = 1.0) -> Float[Tensor, "o ..."]:
        """What a strength adds to this weight."""
        return _for_outputs(weight, lambda outputs: self.turn(outputs, strength))

    def rotations(self) -> Float[Tensor, "m k b b"]:
        """R of every block of every stage, in float32."""
        return cayley(self.blocks, self.constraint)

    def turn(
        self, outputs: Float[Tensor, "... o"], strength: float, rotations: Float[Tensor, "m k b b"] | None = None
    ) -> Float[Tensor, "... o"]:
        """What a strength adds to the outputs x @ W.T; at a strength s the stages are s R + 1 - s."""
        size = self.blocks.shape[-1]
        rotations = (self.rotations() if rotations is None else rotations).to(outputs)
        stages = strength * rotations + (1 - strength) * torch.eye(size, device=outputs.device, dtype=outputs.dtype)
        turned = outputs
        for index, stage in enumerate(stages):
            stride = 2**index * (size // 2)
            blocks = rearrange(turned, "... (c two s) -> ... (c s two)", two=2, s=stride).unflatten(-1, (-1, size))
            blocks = einsum(stage, blocks, "k n m, ... k m -> ... k n").flatten(-2)
            turned = rearrange(blocks, "... (c s two) -> ... (c two s)", two=2, s=stride)
        if self.rescale is not None:
            turned = turned * self.rescale.to(outputs).flatten()
        return strength * (turned - outputs)

    def rows(self, start: int, stop: int) -> "BOFT":
        """Raises `ValueError`, as a butterfly mixes all rows."""
        raise ValueError("a BOFT mixes all rows and cannot be cut")


def cayley(blocks: Float[Tensor, "*k b b"], constraint: float | None) -> Float[Tensor, "*k b b"]:
    """The rotations R of blocks, in float32."""
    bound = bounded(blocks, constraint)
    skew, one = bound - bound.mT, torch.eye(blocks.shape[-1], device=blocks.device)
    return torch.linalg.solve_ex(one - skew, one + skew).result  # the two commute


def bounded(blocks: Float[Tensor, "*k b b"], constraint: float | None) -> Float[Tensor, "*k b b"]:
    """Blocks whose Q have together a norm of at most `constraint`, in float32."""
    blocks = blocks.float()
    if not constraint or constraint < 0:
        return blocks
    norm = torch.linalg.vector_norm(blocks - blocks.mT) + EPS
    return blocks * (constraint / norm).clamp_max(1)


def _for_outputs(weight: Float[Tensor, "o ..."], turn: Callable[[Tensor], Tensor]) -> Float[Tensor, "o ..."]:
    """A function of outputs applied to every column of a weight."""
    return turn(weight.movedim(0, -1)).movedim(-1, 0)
