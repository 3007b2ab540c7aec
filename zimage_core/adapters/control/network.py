"""The Fun ControlNets of Z-Image: copies of a few of its blocks that watch a control picture and whisper to the model.

Source: the author's code, aigc-apps/VideoX-Fun, z_image_transformer2d_control.py. A control block works on its own
tokens, which start from the control picture's and lean on the model's; what it would say goes through a projection and
is added, times a strength, behind a block of the model: the hint.

Letters: b batch, r control pictures (1 or b), c channels, n patches, d model width.
"""

from typing import cast

import torch
from torch import Tensor, nn
from typing_extensions import Unpack

from ..._shapes import Float
from ...config import ControlConfig, DiTConfig
from ...model import Block
from ...model.sequence import patchify
from ...ops import TORCH, Factory, Layers, Ops


class ControlBlock(Block):
    """A block of the model's kind, and the projection that makes its hint; the first of a row takes the tokens in."""

    def __init__(self, config: DiTConfig, *, is_first: bool, ops: Ops = TORCH, **factory: Unpack[Factory]) -> None:
        super().__init__(config, ops=ops, **factory)
        if is_first:
            self.before_proj = ops.Linear(config.dim, config.dim, **factory)
        self.after_proj = ops.Linear(config.dim, config.dim, **factory)


class ControlNet(nn.Module):
    """One release's blocks. `control_run.Controlled` runs them beside a model's."""

    def __init__(
        self,
        config: ControlConfig,
        *,
        ops: Ops = TORCH,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        factory = Factory(device=device, dtype=dtype)
        blocks = config.blocks
        self.config = config
        self.control_x_embedder = ops.Linear(config.patch_dim, config.dim, **factory)
        self.control_noise_refiner: Layers[Block] = Layers(
            Block(blocks, ops=ops, **factory)
            if config.refiner == "plain"
            else ControlBlock(blocks, is_first=index == 0, ops=ops, **factory)
            for index in range(config.n_refiner_layers)
        )
        self.control_layers: Layers[ControlBlock] = Layers(
            ControlBlock(blocks, is_first=index == 0, ops=ops, **factory) for index in range(config.n_layers)
        )

    def embed(self, context: Float[Tensor, "r c H W"]) -> Float[Tensor, "r n d"]:
        """The control picture's tokens, without pads: they depend on neither the latent nor the time."""
        if context.shape[1] != self.config.in_channels:
            raise ValueError(f"this ControlNet reads {self.config.in_channels} channels, not {context.shape[1]}")
        return self.control_x_embedder(patchify(context, self.config.patch_size))

    @property
    def hinting_refiner(self) -> "Layers[ControlBlock] | None":
        """The blocks that give the model's refiner hints, or None in 1.0, whose refiner keeps to itself."""
        rows = {"control_noise_refiner": self.control_noise_refiner, "control_layers": self.control_layers}
        return cast("Layers[ControlBlock] | None", rows.get(self.config.refiner))
