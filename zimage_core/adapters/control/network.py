"""The Fun ControlNets of Z-Image: a few trained copies of its blocks that compute residuals ("hints") for the model.

Source: the author's code, aigc-apps/VideoX-Fun, z_image_transformer2d_control.py. Control blocks process tokens of
their own, the control image's plus, through the first block's `before_proj`, the model's. A block's hint is

    hint = after_proj(control_block(state))        and the model continues with        x = x + strength · hint

Letters: r control images (1 or the batch size), c channels, H W latent size, n patches, d model width.
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
    """A block of the model with `after_proj`, which yields its hint; the first of a stack also has `before_proj`."""

    def __init__(self, config: DiTConfig, *, is_first: bool, ops: Ops = TORCH, **factory: Unpack[Factory]) -> None:
        super().__init__(config, ops=ops, **factory)
        if is_first:
            self.before_proj = ops.Linear(config.dim, config.dim, **factory)
        self.after_proj = ops.Linear(config.dim, config.dim, **factory)


class ControlNet(nn.Module):
    """The blocks of one release (1.0, 2.0, 2.1, lite). `state.ControlState` runs them beside the model's."""

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
        """The control image's tokens, without pads. They depend on neither latent nor time."""
        if context.shape[1] != self.config.in_channels:
            raise ValueError(f"this ControlNet reads {self.config.in_channels} channels, not {context.shape[1]}")
        return self.control_x_embedder(patchify(context, self.config.patch_size))

    @property
    def refiner_hint_blocks(self) -> "Layers[ControlBlock] | None":
        """The blocks that compute hints for the model's noise refiner; None in 1.0, which has none."""
        stacks = {"control_noise_refiner": self.control_noise_refiner, "control_layers": self.control_layers}
        return cast("Layers[ControlBlock] | None", stacks.get(self.config.refiner))
