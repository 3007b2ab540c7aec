"""What a memory plan is made from: the networks in the files, the picture to generate, the machine to run on."""

from dataclasses import dataclass
from typing import Literal

import torch

from ...config import DiTConfig, TextConfig, VAEConfig
from ...model.sequence import padded_length
from ..byte_counts import Precision, Tokens

RESERVE = 400_000_000  # bytes of a device left free: library workspaces and allocator fragmentation
DTYPES: dict[Precision, torch.dtype] = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
CAPABILITIES: dict[Precision, tuple[int, int]] = {"int8": (7, 5), "fp8": (8, 9)}  # the first GPUs with such GEMMs


class PlanError(ValueError):
    """There is no way to run; the message says what is needed, what is there and what to do."""


@dataclass(frozen=True, kw_only=True)
class Networks:
    """The networks in the files: their widths, and the precisions they are loaded in."""

    transformer: DiTConfig
    text: TextConfig
    autoencoder: VAEConfig
    layers: Precision = "bf16"  # of the transformer's layers; `rest` is that of everything around them
    rest: Precision = "bf16"
    text_precision: Precision = "bf16"
    autoencoder_precision: Precision = "bf16"

    def __post_init__(self) -> None:
        for precision in (self.rest, self.autoencoder_precision):
            if precision not in DTYPES:
                raise PlanError(f"{precision} is for the layers' matrices only; choose one of {', '.join(DTYPES)}")


@dataclass(frozen=True, kw_only=True)
class Picture:
    """What to generate. References count with all their tokens, of latents and of vision features."""

    width: int
    height: int
    batch: int = 1
    caption_tokens: int = 128
    reference_tokens: int = 0

    def cells(self, networks: Networks) -> tuple[int, int]:
        """Height and width in latent cells."""
        side = networks.autoencoder.downscale
        step = side * networks.transformer.patch_size
        if self.width % step or self.height % step or self.width < step or self.height < step or self.batch < 1:
            raise PlanError(
                f"{self.batch} pictures of {self.width}x{self.height} cannot be drawn: "
                f"choose at least one, with sides that are multiples of {step}"
            )
        return self.height // side, self.width // side

    def tokens(self, networks: Networks) -> Tokens:
        """The tokens of one step."""
        height, width = self.cells(networks)
        target = padded_length(height * width // networks.transformer.patch_size**2)
        image = target + self.reference_tokens
        return Tokens(image=image, joint=image + padded_length(max(1, self.caption_tokens)), batch=self.batch)


@dataclass(frozen=True, kw_only=True)
class Machine:
    """What there is to run on. With kind "cpu" the networks and activations are in RAM."""

    kind: Literal["cuda", "xpu", "mps", "cpu"]
    free_ram: int  # bytes
    free_device: int = 0
    capability: tuple[int, int] | None = None  # CUDA's compute capability

    @property
    def budget(self) -> int:
        """Bytes that networks and their activations may take."""
        return self.free_ram if self.kind == "cpu" else max(0, self.free_device - RESERVE)

    def unsupported_reason(self, precision: Precision) -> str:
        """Why it has no GEMMs in an 8-bit precision; empty if it has."""
        if self.kind == "cpu":
            return "" if precision == "int8" else f"{precision} needs a graphics card; a processor has int8"
        needed = CAPABILITIES[precision]
        if self.kind != "cuda" or self.capability is None:
            return f"{precision} needs CUDA; this is {self.kind}"
        if self.capability >= needed:
            return ""
        found = ".".join(map(str, self.capability))
        return f"{precision} needs compute capability {needed[0]}.{needed[1]}; this card has {found}"
