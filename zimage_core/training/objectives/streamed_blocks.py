"""Training through blocks that are on the device only while they run, as `runtime.offload.stream` puts them there.

A block's gradients need its weights, which by then have left the device. So forward keeps a block's input alone, and
backward puts the block on the device once more, computes it again and passes the gradients before it leaves: each step
copies every streamed block twice. What learns beside the weights stays on the device.
"""

from typing import Any

import torch
from torch import Tensor

from ...model.block import Block
from ...model.condition import RunBlock, Stage, run_block
from ...runtime.offload.streaming import BlockStream


def streamed_blocks(blocks: BlockStream) -> RunBlock:
    """A `RunBlock` of a frozen network. Nothing that blocks share, such as their modulation, may need gradients."""

    def run(stage: Stage, index: int, block: Block, x: Tensor) -> Tensor:
        if not torch.is_grad_enabled():
            return blocks.run(stage, index, block, x)
        anchor = torch.zeros((), requires_grad=True)  # so that a first block, whose input needs none, has gradients
        out = StreamedBlock.apply(x, anchor, blocks, (stage, index, block))
        assert isinstance(out, Tensor)
        return out

    return run


class StreamedBlock(torch.autograd.Function):
    """A block's output; gradients of the parameters beside it are added to them during backward."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, anchor: Tensor, blocks: BlockStream, place: tuple[Stage, int, Block]) -> Tensor:
        ctx.save_for_backward(x)
        ctx.blocks, ctx.place = blocks, place
        with blocks.on_device(place[2]):
            return run_block(*place, x)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (x,), (stage, index, block) = ctx.saved_tensors, ctx.place
        again = x.detach().requires_grad_()
        with ctx.blocks.on_device(block, is_backward=True), torch.enable_grad():
            torch.autograd.backward(run_block(stage, index, block, again), gradients)
        return again.grad, None, None, None
