"""What a run knows before its first step, and how blocks are run.

Letters: b batch, n k r tokens, d model width, t time vector width.
"""

from collections.abc import Sequence
from typing import NamedTuple, Protocol, cast, runtime_checkable

import torch
from torch import Tensor

from .._shapes import Float
from ..kernels import Rope, SplitRow
from .block import Block, Gains


class Modulation(NamedTuple):
    """Everything the network needs of one time: the adaLN rows of all blocks and of the final layer."""

    time: Float[Tensor, "b t"]
    noise_refiner: list[Gains]
    layers: list[Gains]
    final: Float[Tensor, "#b 1 d"]


class Norms(NamedTuple):
    """The own weights of all modulated blocks' norms, which modulation is folded into: the same at all times."""

    noise_refiner: list[Gains]
    layers: list[Gains]


class Condition(NamedTuple):
    """What a whole run needs of its captions, its references and its picture's size.

    Tokens run in the order clean context, clean pictures, noisy context, the picture itself. Without references the
    noisy context is the caption, and nothing is clean.
    """

    caption: Float[Tensor, "b n d"]  # refined, padded to a multiple of 32; in Omni with the target's feature pads
    size: tuple[int, int]  # patch grid
    image_rope: Rope
    joint_rope: Rope
    clean_context: Float[Tensor, "b k d"] | None = None  # refined chunks and features of the references
    clean_images: Float[Tensor, "b r d"] | None = None  # embedded; every step refines them beside the picture

    @property
    def n_clean_images(self) -> int:
        """Tokens of reference pictures, which go before the picture's own."""
        return 0 if self.clean_images is None else self.clean_images.shape[1]

    @property
    def n_clean(self) -> int:
        """All clean tokens of the joint sequence."""
        return self.n_clean_images + (0 if self.clean_context is None else self.clean_context.shape[1])

    @property
    def picture_start(self) -> int:
        """Where the picture's own tokens begin in the joint sequence."""
        return self.n_clean + self.caption.shape[1]


class Stage(NamedTuple):
    """One of the network's rows of blocks, and what its blocks share."""

    name: str  # "context_refiner", "siglip_refiner", "noise_refiner" or "layers", the attribute's name
    rope: Rope
    gains: Sequence[Gains]  # one per block
    time: Float[Tensor, "b t"] | None  # what gains were made from, clean rows before noisy; None if nothing modulates


@runtime_checkable
class RunBlock(Protocol):
    """Applies block `index` of a stage. A host passes its own to patch blocks or to choose their attention."""

    def __call__(self, stage: Stage, index: int, block: Block, x: Tensor) -> Tensor: ...


@runtime_checkable
class Velocity(Protocol):
    """The velocity field dx/dsigma at latents x and noise level sigma in [0, 1]."""

    def __call__(self, x: Float[Tensor, "b c H W"], sigma: float | Tensor) -> Float[Tensor, "b c H W"]: ...


@runtime_checkable
class Network(Protocol):
    """The raw network, picture - noise, at latents x in a condition at one time."""

    def __call__(
        self, x: Float[Tensor, "b c H W"], condition: Condition, modulation: Modulation
    ) -> Float[Tensor, "b c H W"]: ...


def run_block(stage: Stage, index: int, block: Block, x: Tensor) -> Tensor:
    """Just the block."""
    return block(x, stage.rope, stage.gains[index])


def split(clean: Modulation, noisy: Modulation, condition: Condition) -> Modulation:
    """Two tables and one place each where the first ends: clean tokens always go first."""

    def merged(first: list[Gains], second: list[Gains], start: int) -> list[Gains]:
        return [one(early, late, start) for early, late in zip(first, second, strict=True)]

    def one(early: Gains, late: Gains, start: int) -> Gains:
        pairs = cast("list[tuple[Tensor, Tensor]]", list(zip(early[:4], late[:4], strict=True)))
        return Gains(*(SplitRow(*pair, start) for pair in pairs), heads=late.heads)

    return Modulation(
        time=torch.cat((clean.time.expand_as(noisy.time), noisy.time)),
        noise_refiner=merged(clean.noise_refiner, noisy.noise_refiner, condition.n_clean_images),
        layers=merged(clean.layers, noisy.layers, condition.n_clean),
        final=noisy.final,
    )
