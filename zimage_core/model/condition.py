"""What a sampling run prepares before its first step, and the protocols by which blocks and the network are called.

Letters: b batch, n k r tokens, d model width, t time vector width, c latent channels, H W latent cells.
"""

from collections.abc import Sequence
from typing import NamedTuple, Protocol, cast, runtime_checkable

import torch
from torch import Tensor

from .._shapes import Float
from ..kernels import Rope, SplitRow
from .block import Block, NormWeights


class Modulation(NamedTuple):
    """What the network needs at one time: modulated norm weights of all blocks, and the scale of the final layer."""

    time: Float[Tensor, "b t"]
    noise_refiner: list[NormWeights]
    layers: list[NormWeights]
    final: Float[Tensor, "#b 1 d"]


class BaseNormWeights(NamedTuple):
    """Weights of all modulated blocks' norms before modulation is folded into them: the same at all times."""

    noise_refiner: list[NormWeights]
    layers: list[NormWeights]


class Condition(NamedTuple):
    """Everything in a run that depends on captions, references and image size, but not on the latent.

    Joint sequence: clean context, clean images, target context, the target image. Clean tokens belong to references and
    are modulated at sigma 0; the target's are modulated at the step's sigma, its caption included. Without references
    nothing is clean.
    """

    # target context: the refined caption, padded to a multiple of 32; in Omni with the pads of its vision features
    caption: Float[Tensor, "b n d"]
    size: tuple[int, int]  # patch grid
    image_rope: Rope
    joint_rope: Rope
    clean_context: Float[Tensor, "b k d"] | None = None  # refined text chunks and vision features of the references
    # embedded; the noise refiner runs on them together with the target at every step
    clean_images: Float[Tensor, "b r d"] | None = None

    @property
    def n_clean_images(self) -> int:
        """Tokens of reference images, which precede the target's in the noise refiner."""
        return 0 if self.clean_images is None else self.clean_images.shape[1]

    @property
    def n_clean(self) -> int:
        """All clean tokens of the joint sequence."""
        return self.n_clean_images + (0 if self.clean_context is None else self.clean_context.shape[1])

    @property
    def image_start(self) -> int:
        """Index of the target image's first token in the joint sequence."""
        return self.n_clean + self.caption.shape[1]


class Stage(NamedTuple):
    """One stack of blocks of the network, and the inputs its blocks share."""

    name: str  # the attribute: "context_refiner", "siglip_refiner", "noise_refiner" or "layers"
    rope: Rope
    norm_weights: Sequence[NormWeights]  # one per block
    time: Float[Tensor, "b t"] | None  # time vector behind the scales, clean rows before noisy; None without modulation


@runtime_checkable
class RunBlock(Protocol):
    """Applies block `index` of a stage. Callers pass their own to patch blocks, choose attention or stream weights."""

    def __call__(self, stage: Stage, index: int, block: Block, x: Tensor) -> Tensor: ...


@runtime_checkable
class VelocityField(Protocol):
    """The velocity field dx/dsigma at latents x and noise level sigma in [0, 1]."""

    def __call__(self, x: Float[Tensor, "b c H W"], sigma: float | Tensor) -> Float[Tensor, "b c H W"]: ...


@runtime_checkable
class RawNetwork(Protocol):
    """The raw network, which predicts image - noise at latents x, for one condition and the modulation of one time."""

    def __call__(
        self, x: Float[Tensor, "b c H W"], condition: Condition, modulation: Modulation
    ) -> Float[Tensor, "b c H W"]: ...


def run_block(stage: Stage, index: int, block: Block, x: Tensor) -> Tensor:
    """The block alone: the default `RunBlock`."""
    return block(x, rope=stage.rope, norms=stage.norm_weights[index])


def split_modulation(clean: Modulation, noisy: Modulation, condition: Condition) -> Modulation:
    """Modulation of a sequence whose clean tokens (time 1) precede the noisy ones; the final layer sees only these."""

    def split_scales(first: list[NormWeights], second: list[NormWeights], n_clean: int) -> list[NormWeights]:
        return [split_block(early, late, n_clean) for early, late in zip(first, second, strict=True)]

    def split_block(early: NormWeights, late: NormWeights, n_clean: int) -> NormWeights:
        pairs = cast("list[tuple[Tensor, Tensor]]", list(zip(early[:4], late[:4], strict=True)))
        return NormWeights(*(SplitRow(*pair, n_clean) for pair in pairs), qk=late.qk)

    return Modulation(
        time=torch.cat((clean.time.expand_as(noisy.time), noisy.time)),
        noise_refiner=split_scales(clean.noise_refiner, noisy.noise_refiner, condition.n_clean_images),
        layers=split_scales(clean.layers, noisy.layers, condition.n_clean),
        final=noisy.final,
    )
