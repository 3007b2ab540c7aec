"""Runs the core's blocks for ComfyUI, with the graph's patches around and inside them.

Native's patches are called in native's order with native's tensors. Those that native accepts and ignores are honoured
too, in the form FLUX gives them: `post_input`, `patches_replace["dit"]`, `attn1_patch` and `attn1_output_patch`.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from comfy import model_management
from comfy.ldm.modules.attention import optimized_attention
from torch import Tensor

from ....zimage_core.model import Block, Condition, Stage

OVERRIDE = "optimized_attention_override"  # ComfyUI's name for a node's own attention
STEADY = "zimage_steady"  # an attribute of overrides that give the same for the same tensors at every step
Options = dict[str, Any]
Patch = Callable[[Options], Options]


class HostedBlocks:
    """One evaluation's way through the blocks."""

    def __init__(self, options: Options, latent: Tensor) -> None:
        self.options = options  # this evaluation's own copy
        self.patches: dict[str, list[Any]] = options.get("patches", {})
        self.replacements: dict[Any, Any] = options.get("patches_replace", {}).get("dit", {})
        self.latent = latent
        self.condition: Condition | None = None  # known once the captions are refined
        self.stage_input = latent
        self.caption: Tensor | None = None  # what a post_input patch made of the caption

    def __call__(self, stage: Stage, index: int, block: Block, x: Tensor) -> Tensor:
        """Block `index` of a stage; an interruption is noticed here, inside the step."""
        model_management.throw_exception_if_processing_interrupted()
        run = partial(block, rope=stage.rope, scales=stage.norm_scales[index], attend=partial(self._attend, stage))
        match stage.name:
            case "noise_refiner":
                return self._refine(stage, index, run, x)
            case "layers":
                return self._layer(stage, index, run, x)
            case _:
                return run(x)

    def _refine(self, stage: Stage, index: int, run: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
        if index == 0:
            x = self._post_input(x)
            self.stage_input = x
        x = run(x)
        for patch in self.patches.get("noise_refiner", ()):
            tensors = {"img": x, "img_input": self.stage_input, "txt": self._caption, "pe": stage.rope}
            x = patch({**tensors, **self._state(stage, index), "block_type": "noise_refiner"}).get("img", x)
        return x

    def _layer(self, stage: Stage, index: int, run: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
        start = self._image_start
        if index == 0:
            if self.caption is not None:
                before = start - self.caption.shape[1]  # tokens of reference pictures and their words
                x = torch.cat((x[:, :before], self.caption, x[:, start:]), dim=1)
            self.stage_input = x
        self.options.update(block_index=index, block_type="double", total_blocks=len(stage.norm_scales))
        self.options["img_slice"] = [start, x.shape[1]]
        x = self._replaced(stage, index, run, x) if ("double_block", index) in self.replacements else run(x)
        for patch in self.patches.get("double_block", ()):
            text, image, rope = x[:, :start], x[:, start:], stage.rope[:, start:]
            tensors = {"img": image, "img_input": self.stage_input[:, start:], "txt": text, "pe": rope}
            out = patch({**tensors, **self._state(stage, index)})
            x = torch.cat((out.get("txt", text), out.get("img", image)), dim=1)
        return x

    def _replaced(self, stage: Stage, index: int, run: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
        """Let a replacement run in the block's place; it may call the original, with other tensors if it likes."""
        start = self._image_start

        def original(arguments: Options) -> Options:
            joint = run(torch.cat((arguments["txt"], arguments["img"]), dim=1))
            return {"img": joint[:, start:], "txt": joint[:, :start]}

        arguments = {"img": x[:, start:], "txt": x[:, :start], "vec": stage.time, "pe": stage.rope, "attn_mask": None}
        replacement = self.replacements["double_block", index]
        out = replacement({**arguments, "transformer_options": self.options}, {"original_block": original})
        return torch.cat((out["txt"], out["img"]), dim=1)

    def _attend(self, stage: Stage, q: Tensor, k: Tensor, v: Tensor, *, is_causal: bool = False) -> Tensor:
        """The attention chosen for ComfyUI, or a node's override of it, between the graph's attention patches."""
        is_patched = stage.name == "layers"  # as in FLUX, where only the joint sequence is
        for patch in self.patches.get("attn1_patch", ()) if is_patched else ():
            out = patch(q, k, v, pe=stage.rope, attn_mask=None, extra_options=self.options)
            q, k, v = out.get("q", q), out.get("k", k), out.get("v", v)
        attended = optimized_attention(q, k, v, q.shape[1], skip_reshape=True, transformer_options=self.options)
        for patch in self.patches.get("attn1_output_patch", ()) if is_patched else ():
            attended = patch(attended, self.options)
        return attended

    def _post_input(self, image: Tensor) -> Tensor:
        """Patches of the embedded sequences; they may change tokens, not their number, which fixes the positions."""
        for patch in self.patches.get("post_input", ()):
            caption = self._caption if self.caption is None else self.caption
            out = patch(
                {"img": image, "txt": caption, "img_ids": None, "txt_ids": None, "transformer_options": self.options}
            )
            if out["img"].shape != image.shape or out["txt"].shape != caption.shape:
                raise ValueError(
                    "A model patch in this graph adds tokens to the picture or the prompt, which Z-Image cannot place. "
                    "Remove the patch; it is made for another model."
                )
            image, self.caption = out["img"], out["txt"]
        return image

    def _state(self, stage: Stage, index: int) -> Options:
        """What native tells every block patch beside the sequences."""
        return {"vec": stage.time, "x": self.latent, "block_index": index, "transformer_options": self.options}

    @property
    def _image_start(self) -> int:
        """Patches see what the model draws as "img", and all that goes before it as "txt", as native's do."""
        assert self.condition is not None
        return self.condition.image_start

    @property
    def _caption(self) -> Tensor:
        assert self.condition is not None
        return self.condition.caption.expand(len(self.latent), -1, -1)
