"""`ControlState`: one ControlNet's tokens during one call of the model, and the hints computed from them.

A stack of control blocks turns control tokens c and the model's tokens x, at the input of its own stack, into hints:

    state = before_proj(c) + x
    for each control block k:
        state = block_k(state)
        hint_k = after_proj_k(state)

and the model adds `strength · hint_k` to the output of its k-th hinted block. Where the implementations differ is
written in `control.py`.

Letters: b batch, n image tokens, m joint tokens (caption, then image) or the hinted ones of them, d model width.
"""

from collections.abc import Iterable

import torch
from torch import Tensor

from ..._shapes import Float
from ...model import Block, RunBlock, Stage
from ...model.sequence import padded_length
from .control import Control
from .network import ControlBlock


class ControlState:
    """One control during one call of the model; its blocks are called through the model's own `RunBlock`."""

    def __init__(self, control: Control, run: RunBlock, stage: Stage, x: Float[Tensor, "b n d"]) -> None:
        n_patches = control.tokens.shape[1]
        if padded_length(n_patches) != x.shape[1]:
            raise ValueError(
                f"the control covers {n_patches} patches where the model draws {x.shape[1]} tokens; make it of the "
                "latent's size, and give no reference images beside a control"
            )
        self.control, self.run, self.network = control, run, control.network
        self.n_image = x.shape[1]
        self.n_patches = n_patches
        self.is_patches_only = control.implementation == "comfyui"  # no pads, no caption
        self.hinted_copy: Tensor | None = None  # "diffusers": the image tokens with refiner hints
        tokens = control.tokens.to(x).expand(len(x), -1, -1)
        pads = x[:, n_patches:]  # the control's pad tokens are the model's
        self.tokens = tokens if self.is_patches_only else torch.cat((tokens, pads), dim=1)
        self.refiner_hints = self._run_refiner(stage, x)
        self.layer_stage = stage  # of the control layers; `_start_layers` sets both once the joint sequence exists
        self.layer_input = x

    def hint_refiner(
        self, stage: Stage, index: int, block: Block, unhinted: Float[Tensor, "b n d"], out: Float[Tensor, "b n d"]
    ) -> Float[Tensor, "b n d"]:
        """The output of the model's noise refiner block `index` with this control's hint.

        `out` is the output with the hints of the controls before this one, `unhinted` the block's own.
        """
        if not self.refiner_hints:
            return out
        hint = self.refiner_hints[index] if index < len(self.refiner_hints) else None
        if self.control.implementation != "diffusers":
            return out if hint is None else self._add_hint(out, hint, 0)
        # up to the first hint the copy equals the model's tokens; under this stage's name, patches of the model's
        # noise refiner do not apply to it
        stage = stage._replace(name="control_noise_refiner")
        copy = unhinted if self.hinted_copy is None else self.run(stage, index, block, self.hinted_copy)
        self.hinted_copy = copy if hint is None else self._add_hint(copy, hint, 0)
        return out

    def hint_layers(
        self, stage: Stage, index: int, x: Float[Tensor, "b m d"], out: Float[Tensor, "b m d"]
    ) -> Float[Tensor, "b m d"]:
        """The output of the model's layer `index` with this control's hint, if the layer receives one.

        `x` is the layer's input, `out` its output with the hints of the controls before this one.
        """
        image_start = x.shape[1] - self.n_image
        if index == 0:
            self._start_layers(stage, x, image_start)
        hinted = self.network.config.hinted_layers(len(stage.norm_weights))
        for hinted_index, (number, layer) in zip(hinted, enumerate(self.network.control_layers), strict=True):
            if hinted_index == index:
                self._advance(self.layer_stage, number, layer, self.layer_input)
                out = self._add_hint(out, layer.after_proj(self.tokens), image_start)
        return out

    def _run_refiner(self, stage: Stage, x: Float[Tensor, "b n d"]) -> list[Tensor]:
        """Run the blocks before the control layers. Returns the hints for the model's noise refiner, if any."""
        rope = stage.rope[:, : self.tokens.shape[1]]
        blocks = self.network.refiner_hint_blocks
        if blocks is None:
            control_stage = self._control_stage(stage, rope, self.network.control_noise_refiner)
            for index, block in enumerate(self.network.control_noise_refiner):
                self.tokens = self.run(control_stage, index, block, self.tokens)
            return []
        control_stage = self._control_stage(stage, rope, blocks)
        hints: list[Tensor] = []
        for index, block in enumerate(blocks):
            self._advance(control_stage, index, block, x[:, : self.tokens.shape[1]])
            if index < len(stage.norm_weights):
                hints.append(block.after_proj(self.tokens))
        return hints

    def _start_layers(self, stage: Stage, x: Float[Tensor, "b m d"], image_start: int) -> None:
        """Prepare the control layers for the model's joint sequence x: refined caption, then image."""
        if self.is_patches_only:
            patches = slice(image_start, image_start + self.n_patches)
            self.layer_input, rope = x[:, patches], stage.rope[:, patches]
        else:
            caption = x[:, :image_start]
            self.tokens = torch.cat((caption, self.tokens), dim=1)
            self.layer_input = x if self.hinted_copy is None else torch.cat((caption, self.hinted_copy), dim=1)
            rope = stage.rope
        self.refiner_hints, self.hinted_copy = [], None  # consumed; their memory is needed
        self.layer_stage = self._control_stage(stage, rope, self.network.control_layers)

    def _advance(self, stage: Stage, index: int, block: ControlBlock, x: Float[Tensor, "b n d"]) -> None:
        """Run control block `index`; the first one adds the model's tokens x."""
        if index == 0:
            self.tokens = block.before_proj(self.tokens) + x
        self.tokens = self.run(stage, index, block, self.tokens)

    def _control_stage(self, stage: Stage, rope: Tensor, blocks: Iterable[Block]) -> Stage:
        """A stage of control blocks: their own norm weights, modulated by the model's time vector."""
        assert stage.time is not None
        time = stage.time
        norm_weights = [block.modulated(block.base_norm_weights(time), time) for block in blocks]
        return Stage("control_layers", rope, norm_weights, time)

    def _add_hint(self, x: Float[Tensor, "b n d"], hint: Float[Tensor, "b m d"], start: int) -> Float[Tensor, "b n d"]:
        """x + strength · hint; a hint for patches only is added from token `start` on."""
        hint = hint * self.control.strength
        if not self.is_patches_only:
            return x + hint
        end = start + self.n_patches
        return torch.cat((x[:, :start], x[:, start:end] + hint, x[:, end:]), dim=1)
