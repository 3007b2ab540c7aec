"""S3-DiT as ComfyUI calls it: the core's network with the host's attention, wrappers, patches and interruption."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from comfy import model_management
from comfy.ldm.common_dit import pad_to_patch_size
from comfy.ldm.modules.attention import optimized_attention
from comfy.patcher_extension import WrapperExecutor, WrappersMP, get_all_wrappers
from torch import Tensor

from ...zimage_core.config import DiTConfig
from ...zimage_core.model import Block, Condition, S3DiT, Stage
from ...zimage_core.model.sequence import UNIT_GRID, Grid

Options = dict[str, Any]
Patch = Callable[[Options], Options]


class ComfyS3DiT(S3DiT):
    """Takes what `comfy.model_base.Lumina2` hands its network; parameter names are the single-file checkpoint's."""

    def __init__(
        self, zimage: DiTConfig, operations: Any, device: Any = None, dtype: Any = None, **native: Any
    ) -> None:
        super().__init__(zimage, ops=operations, device=device, dtype=dtype)
        self.dtype = dtype  # what the host stores weights in; it decides by itself what to compute in

    def forward(
        self,
        x: Tensor,
        timesteps: Tensor,
        context: Tensor,
        num_tokens: Any = None,
        attention_mask: Any = None,
        **kwargs: Any,
    ) -> Tensor:
        """Velocity of latents (b, 16, h, w) at noise levels `timesteps`, inside whatever wrappers the graph added."""
        wrappers = get_all_wrappers(WrappersMP.DIFFUSION_MODEL, kwargs.get("transformer_options", {}))
        executor = WrapperExecutor.new_class_executor(self._forward, self, wrappers)
        return executor.execute(x, timesteps, context, num_tokens, attention_mask, **kwargs)

    def _forward(
        self,
        x: Tensor,
        timesteps: Tensor,
        context: Tensor,
        num_tokens: Any = None,
        attention_mask: Any = None,
        transformer_options: Options = {},  # noqa: B006 - the host's signature; it is copied, never written
        ref_latents: Sequence[Tensor] = (),
        **kwargs: Any,
    ) -> Tensor:
        if len(ref_latents):
            raise ValueError(
                "This Z-Image model cannot look at reference images; only Omni and Edit checkpoints can. "
                "Remove the reference latents from its conditioning."
            )
        if context.shape[-1] != self.config.cap_feat_dim:
            raise ValueError(
                f"The prompt's features are {context.shape[-1]} wide, but this model reads {self.config.cap_feat_dim}. "
                "Load the text encoder that belongs to the model: qwen_3_4b.safetensors, or nano's for nano."
            )
        height, width = x.shape[-2:]
        # artists may pick odd sizes; the surplus is cropped again
        latent = pad_to_patch_size(x, (self.config.patch_size,) * 2)
        run = HostedBlocks({**transformer_options}, latent)
        grid = rope_grid(transformer_options)
        run.condition = self.prepare(list(context), (latent.shape[-2], latent.shape[-1]), grid=grid, run=run)
        velocity = self.flow(run.condition, run=run)(latent, timesteps)
        return velocity[..., :height, :width]


class HostedBlocks:
    """Runs blocks for the core with ComfyUI's patches around them, in native's order and with native's tensors."""

    def __init__(self, options: Options, latent: Tensor) -> None:
        self.options = options
        self.latent = latent
        self.condition: Condition | None = None  # known once the captions are refined
        self.stage_input = latent

    def __call__(self, stage: Stage, index: int, block: Block, x: Tensor) -> Tensor:
        model_management.throw_exception_if_processing_interrupted()
        if index == 0:
            self.stage_input = x
        if stage.name == "layers":
            self.options.update(block_index=index, block_type="double", total_blocks=len(stage.gains))
        x = block(x, stage.rope, stage.gains[index], self.attend)
        patches = self.options.get("patches", {})
        if stage.name == "noise_refiner":
            for patch in patches.get("noise_refiner", ()):
                x = self._patch_refiner(patch, stage, index, x)
        elif stage.name == "layers":
            for patch in patches.get("double_block", ()):
                x = self._patch_layer(patch, stage, index, x)
        return x

    def attend(self, q: Tensor, k: Tensor, v: Tensor, *, is_causal: bool = False) -> Tensor:
        """The attention the user chose for ComfyUI, or a node's override of it."""
        return optimized_attention(q, k, v, q.shape[1], skip_reshape=True, transformer_options=self.options)

    def _patch_refiner(self, patch: Patch, stage: Stage, index: int, x: Tensor) -> Tensor:
        assert self.condition is not None
        arguments = {
            "img": x,
            "img_input": self.stage_input,
            "txt": self.condition.caption,
            "pe": stage.rope,
            "vec": stage.time,
            "x": self.latent,
            "block_index": index,
            "transformer_options": self.options,
            "block_type": "noise_refiner",
        }
        return patch(arguments).get("img", x)

    def _patch_layer(self, patch: Patch, stage: Stage, index: int, x: Tensor) -> Tensor:
        assert self.condition is not None
        start = self.condition.caption.shape[1]
        text, image = x[:, :start], x[:, start:]
        arguments = {
            "img": image,
            "img_input": self.stage_input[:, start:],
            "txt": text,
            "pe": stage.rope[:, start:],
            "vec": stage.time,
            "x": self.latent,
            "block_index": index,
            "transformer_options": self.options,
        }
        out = patch(arguments)
        return torch.cat((out.get("txt", text), out.get("img", image)), dim=1)


def rope_grid(options: Options) -> Grid:
    """Positions as the ScaleROPE node asks for them."""
    asked = options.get("rope_options")
    if asked is None:
        return UNIT_GRID
    return Grid(
        scale=(asked.get("scale_y", 1.0), asked.get("scale_x", 1.0)),
        shift=(asked.get("shift_y", 0.0), asked.get("shift_x", 0.0)),
    )
