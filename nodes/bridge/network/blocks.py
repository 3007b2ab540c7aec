"""Runs the core's blocks inside ComfyUI, with the MODEL's patches around and inside them.

Stock patches are called in the order and with the tensors of ComfyUI's own model. Those that it accepts and ignores for
Z-Image work too, in the form FLUX gives them: `post_input`, `patches_replace["dit"]`, `attn1_patch` and
`attn1_output_patch`. An `attn1_patch` in the form of Stable Diffusion's UNet stays ignored.

Letters: b batch, n tokens, d model width, h heads, e head width.
"""

from collections.abc import Callable
from functools import partial
from inspect import signature
from typing import Any

import torch
from comfy import model_management
from comfy.ldm.modules.attention import optimized_attention
from torch import Tensor
from torch.nn.functional import pad

from ....zimage_core.attention import Attention
from ....zimage_core.conditioning.region_bias import BiasChannels, attend_with_bias
from ....zimage_core.kernels import Rope
from ....zimage_core.model import Block, Condition, Stage
from .native_calls import calls_as_native, changed_block
from .negative_prompt import NegativePrompt

ATTENTION_OVERRIDE = "optimized_attention_override"  # ComfyUI's option: a node's own attention function
ATTENTION_NAME = "zimage_attention_name"  # attribute of our overrides: what people read of them
SHARED_ATTENTION = "zimage_shared_attention"  # our option: an attention for a layer, its image tokens and its attention
STEP_INVARIANT = "zimage_step_invariant"  # attribute of overrides whose result depends on nothing but their tensors
Options = dict[str, Any]
Patch = Callable[[Options], Options]


def takes_rope(patch: Callable[..., Any]) -> bool:
    """Whether an attention patch is one for transformers, not for Stable Diffusion's UNet, as HyperTile's is."""
    parameters = signature(patch).parameters.values()
    return any(each.name == "pe" or each.kind is each.VAR_KEYWORD for each in parameters)


class PatchedBlocks:
    """A `RunBlock` for one network call: each block with ComfyUI's attention and the patches of the MODEL."""

    def __init__(self, options: Options, latent: Tensor) -> None:
        self.options = options  # this call's own copy
        self.patches: dict[str, list[Any]] = options.get("patches", {})
        self.replacements: dict[Any, Any] = options.get("patches_replace", {}).get("dit", {})
        self.attention_patches = [each for each in self.patches.get("attn1_patch", ()) if takes_rope(each)]
        self.latent = latent  # (b, 16, h, w)
        self.condition: Condition | None = None  # set by the caller once the captions are refined
        self.stage_input = latent
        self.mask: Tensor | None = None  # (b, 1, m, m) of the joint sequence, where it hides anything
        self.bias: BiasChannels | None = None  # of the joint sequence, where regions have prompts of their own
        self.caption: Tensor | None = None  # (b, n, d) as a post_input patch returned it
        self.negative: NegativePrompt | None = None  # of Z-Image NAG, where it acts

    def __call__(self, stage: Stage, index: int, block: Block, x: Tensor) -> Tensor:
        """Block `index` of a stage on tokens x (b, n, d); raises ComfyUI's interruption within a step."""
        model_management.throw_exception_if_processing_interrupted()
        # not the whole stage: torch.compile would guard on the norm weights of all blocks, and compile each block anew
        attend: Attention = partial(self._attend, stage.name, stage.rope)
        shared = self.options.get(SHARED_ATTENTION)
        if shared is not None and stage.name == "layers":
            attend = shared(index, self._image, attend)
        if stage.name == "layers" and self.negative is not None:
            attend_both = self.negative.attention(attend, self._attend_unpatched)
            run = self.negative.carried(self._runner(self.negative.stage(stage), index, block, attend_both))
        else:
            run = self._runner(stage, index, block, attend)
        match stage.name:
            case "noise_refiner":
                return self._refine(stage, index, run, x)
            case "layers":
                return self._layer(stage, index, run, x)
            case _:
                return run(x)

    def _runner(self, stage: Stage, index: int, block: Block, attend: Attention) -> Callable[[Tensor], Tensor]:
        """A block as a function of its tokens (b, n, d); what a node changed about it counts."""
        changed = changed_block(block)
        if changed is not None:
            return calls_as_native(changed, stage, index, attend, self.options)
        return partial(block, rope=stage.rope, norms=stage.norm_weights[index], attend=attend)

    def _refine(self, stage: Stage, index: int, run: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
        if index == 0:
            x = self._post_input(x)
            self.stage_input = x
        x = run(x)
        for patch in self.patches.get("noise_refiner", ()):
            tensors = {"img": x, "img_input": self.stage_input, "txt": self._caption, "pe": stage.rope}
            x = patch({**tensors, **self._common(stage, index), "block_type": "noise_refiner"}).get("img", x)
        return x

    def _layer(self, stage: Stage, index: int, run: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
        start = self._image_start
        if index == 0:
            if self.caption is not None:
                before = start - self.caption.shape[1]  # tokens of the references and of their text chunks
                x = torch.cat((x[:, :before], self.caption, x[:, start:]), dim=1)
            self.stage_input = x
        self.options.update(block_index=index, block_type="double", total_blocks=len(stage.norm_weights))
        self.options["img_slice"] = [start, x.shape[1]]
        x = self._replaced(stage, index, run, x) if ("double_block", index) in self.replacements else run(x)
        for patch in self.patches.get("double_block", ()):
            text, image, rope = x[:, :start], x[:, start:], stage.rope[:, start:]
            tensors = {"img": image, "img_input": self.stage_input[:, start:], "txt": text, "pe": rope}
            out = patch({**tensors, **self._common(stage, index)})
            x = torch.cat((out.get("txt", text), out.get("img", image)), dim=1)
        return x

    def _replaced(self, stage: Stage, index: int, run: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
        """Call a replacement instead of the block; it gets the block as `original_block`, to call with any tensors."""
        start = self._image_start

        def original(arguments: Options) -> Options:
            joint = run(torch.cat((arguments["txt"], arguments["img"]), dim=1))
            return {"img": joint[:, start:], "txt": joint[:, :start]}

        arguments = {"img": x[:, start:], "txt": x[:, :start], "vec": stage.time, "pe": stage.rope, "attn_mask": None}
        replacement = self.replacements["double_block", index]
        out = replacement({**arguments, "transformer_options": self.options}, {"original_block": original})
        return torch.cat((out["txt"], out["img"]), dim=1)

    def _attend(
        self, stage_name: str, rope: Rope, q: Tensor, k: Tensor, v: Tensor, *, is_causal: bool = False
    ) -> Tensor:
        """q, k, v (b, h, n, e) to (b, n, h e): ComfyUI's attention or a node's override, between attention patches."""
        is_patched = stage_name == "layers"  # as in FLUX, where only the joint sequence is
        for patch in self.attention_patches if is_patched else ():
            out = patch(q, k, v, pe=rope, attn_mask=self.mask, extra_options=self.options)
            q, k, v = out.get("q", q), out.get("k", k), out.get("v", v)
        mask: dict[str, Any] = {}
        if self.mask is not None and q.shape[2] == self.mask.shape[-1]:  # not a refiner's caption or picture
            mask = {"mask": pad(self.mask, (0, k.shape[2] - q.shape[2]))}  # every token sees a style reference's keys
        if self.bias is None or not is_patched:
            attended = self._attend_unpatched(q, k, v, **mask)
        else:  # 8 bits would round the bias away
            exact = partial(self._attend_unpatched, low_precision_attention=False, **mask)
            extra = k.shape[2] - q.shape[2]
            bias = self.bias if not extra else self.bias._replace(key=pad(self.bias.key, (0, 0, 0, extra)))
            attended = attend_with_bias(bias, exact, q, k, v)
        for patch in self.patches.get("attn1_output_patch", ()) if is_patched else ():
            attended = patch(attended, self.options)
        return attended

    def _attend_unpatched(self, q: Tensor, k: Tensor, v: Tensor, *, is_causal: bool = False, **choices: Any) -> Tensor:
        """q, k, v (b, h, n, e) to (b, n, h e), without attention patches; `choices` go to ComfyUI's attention."""
        return optimized_attention(q, k, v, q.shape[1], skip_reshape=True, transformer_options=self.options, **choices)

    def _post_input(self, image: Tensor) -> Tensor:
        """Patches of the embedded sequences (b, n, d); they may change tokens, not their number."""
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

    def _common(self, stage: Stage, index: int) -> Options:
        """What every block patch gets besides the sequences, as from ComfyUI's own model."""
        return {"vec": stage.time, "x": self.latent, "block_index": index, "transformer_options": self.options}

    @property
    def _image_start(self) -> int:
        """Patches see the target image's tokens as "img" and all before them as "txt", as in ComfyUI's own model."""
        assert self.condition is not None
        return self.condition.image_start

    @property
    def _image(self) -> slice:
        """The target image's tokens in the joint sequence, without pads."""
        assert self.condition is not None
        height, width = self.condition.size
        return slice(self._image_start, self._image_start + height * width)

    @property
    def _caption(self) -> Tensor:
        assert self.condition is not None
        return self.condition.caption.expand(len(self.latent), -1, -1)
