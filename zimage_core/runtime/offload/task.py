"""What a plan is made from: what the files hold, what is to be drawn, what there is to run on."""

from dataclasses import dataclass
from typing import Literal

import torch

from ...config import DiTConfig, TextConfig, VAEConfig
from ...model.sequence import padded_length
from ..byte_counts import Precision, Tokens

RESERVE = 400_000_000  # bytes of a device left alone: workspaces of its libraries, and gaps between tensors
DTYPES: dict[Precision, torch.dtype] = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
CAPABILITIES: dict[Precision, tuple[int, int]] = {"int8": (7, 5), "fp8": (8, 9)}  # the first cards that multiply so


class PlanError(ValueError):
    """There is no way to run; the message says what is needed, what is there and what to do."""


@dataclass(frozen=True, kw_only=True)
class Networks:
    """What the files hold."""

    transformer: DiTConfig
    text: TextConfig
    autoencoder: VAEConfig
    layers: Precision = "bf16"  # of the transformer's layers; `rest` is what everything around them has
    rest: Precision = "bf16"
    text_precision: Precision = "bf16"
    autoencoder_precision: Precision = "bf16"

    def __post_init__(self) -> None:
        for precision in (self.rest, self.autoencoder_precision):
            if precision not in DTYPES:
                raise PlanError(f"{precision} is for the layers' matrices only; choose one of {', '.join(DTYPES)}")


@dataclass(frozen=True, kw_only=True)
class Picture:
    """What is to be drawn; references count with all the tokens they bring, of pictures and of features."""

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
        """What one step works on."""
        height, width = self.cells(networks)
        own = padded_length(height * width // networks.transformer.patch_size**2)
        image = own + self.reference_tokens
        return Tokens(image=image, joint=image + padded_length(max(1, self.caption_tokens)), batch=self.batch)


@dataclass(frozen=True, kw_only=True)
class Machine:
    """What there is to run on. On a processor all memory is main memory."""

    kind: Literal["cuda", "xpu", "mps", "cpu"]
    free_host: int  # bytes
    free_device: int = 0
    capability: tuple[int, int] | None = None  # CUDA's compute capability
    bandwidth: float = 12e9  # bytes per second to the device: PCIe 4 with 8 lanes, locked memory

    @property
    def budget(self) -> int:
        """Bytes that networks and their activations may take."""
        return self.free_host if self.kind == "cpu" else max(0, self.free_device - RESERVE)

    def objection(self, precision: Precision) -> str:
        """Why it cannot multiply in an 8-bit precision; nothing if it can."""
        if self.kind == "cpu":
            return "" if precision == "int8" else f"{precision} needs a graphics card; a processor has int8"
        needed = CAPABILITIES[precision]
        if self.kind != "cuda" or self.capability is None:
            return f"{precision} needs CUDA; this is {self.kind}"
        if self.capability >= needed:
            return ""
        found = ".".join(map(str, self.capability))
        return f"{precision} needs compute capability {needed[0]}.{needed[1]}; this card has {found}"
