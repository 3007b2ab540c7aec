"""Blocks as other nodes call and replace them: with the arguments of ComfyUI's own class, `JointTransformerBlock`.

A node may call `diffusion_model.layers[i](x, x_mask, freqs_cis, adaln_input)` itself, put a function of that signature
in the place of a block's `forward`, or hook a block. On an attached network it does so to native's block, whose layers
ours shares. Such a block runs as native would call it, all others run as ours.

Letters: b batch, n tokens, d model width, t time vector width.
"""

from collections.abc import Callable
from typing import Any

from comfy.ldm.modules.attention import optimized_attention
from torch import Tensor, nn

from ....zimage_core.attention import Attention, attention
from ....zimage_core.kernels import Rope, SplitRow
from ....zimage_core.model import Block, Stage
from ....zimage_core.model.block import NormWeights

NATIVE = "native"  # attribute of a block around native's layers: the native block
ATTEND = "zimage_attend"  # among the options while a replaced forward runs: attention with this step's patches


class NativeBlock(Block):
    """A block that runs with this pack's arguments, given by name, or with those of ComfyUI's own class."""

    def forward(  # type: ignore[override]
        self,
        x: Tensor,
        x_mask: Tensor | None = None,
        freqs_cis: Any = None,
        adaln_input: Tensor | None = None,
        timestep_zero_index: Any = None,
        transformer_options: dict[str, Any] = {},  # noqa: B006 - ComfyUI's signature; it is never written
        *,
        rope: Rope | None = None,
        norms: NormWeights | None = None,
        attend: Attention = attention,
    ) -> Tensor:
        """Tokens x (b, n, d); `freqs_cis` are the rope's rotations, `adaln_input` (b, t) is the time vector."""
        if rope is not None and norms is not None:
            return super().forward(x, rope, norms, attend)
        if timestep_zero_index is not None:
            raise ValueError("Z-Image's blocks cannot be called one by one with reference pictures; take them away.")
        weights = self.base_norm_weights(x)
        norms = weights if adaln_input is None else self.modulated(weights, adaln_input)
        return super().forward(x, freqs_cis, norms, transformer_options.get(ATTEND) or _attention(x_mask))


def as_native_block(block: Block) -> None:
    """Let a block be called as ComfyUI's own, too; it keeps its layers and gets no new ones."""
    block.__class__ = NativeBlock


def changed_block(block: Any) -> Any:
    """The block whose forward a node replaced, or native's that a node hooked; None where there is nothing."""
    native = vars(block).get(NATIVE)
    seen = block if native is None else native
    if "_orig_mod" in seen._modules:  # compiled
        return None
    is_hooked = native is not None and (seen._forward_hooks or seen._forward_pre_hooks)
    forward = vars(seen).get("forward")  # when ComfyUI takes a patch off again it leaves the class's own here
    is_replaced = forward is not None and getattr(forward, "__func__", None) is not type(seen).forward
    return seen if is_hooked or is_replaced else None


def calls_as_native(
    seen: nn.Module, stage: Stage, index: int, attend: Attention, options: dict[str, Any]
) -> Callable[[Tensor], Tensor]:
    """A changed block of a stage as a function of its tokens (b, n, d)."""
    if isinstance(stage.norm_weights[index].attn_in, SplitRow):
        raise ValueError(
            "A node in this graph replaces or hooks a block of the model, which works without reference pictures only. "
            "Remove the node, or the references."
        )

    def run(x: Tensor) -> Tensor:
        options[ATTEND] = attend
        try:
            time = None if stage.time is None else stage.time.expand(len(x), -1)
            return seen(x, None, stage.rope, time, timestep_zero_index=None, transformer_options=options)
        finally:
            del options[ATTEND]

    return run


def _attention(mask: Tensor | None) -> Attention:
    """ComfyUI's attention with a mask, in the core's signature."""

    def attend(q: Tensor, k: Tensor, v: Tensor, *, is_causal: bool = False) -> Tensor:
        return optimized_attention(q, k, v, q.shape[1], mask=mask, skip_reshape=True)

    return attend
