"""Blocks that `torch.compile` makes kernels of while they learn: one block's code for all blocks, sizes and steps.

Compiling takes longer than many steps, so it has to happen seldom. The compiler makes its code anew for whatever it
takes for constant: strides and offsets of a view, a batch of one row of scales, a number that happens to equal another.
So what differs without meaning is made alike before a block is called. What remains: batches of one and of more, blocks
with and without gradients of their input, and with reference pictures.

Letters: b batch, n m tokens, d model width, h heads, e head width.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

import torch
from einops import rearrange
from torch import Tensor

from ..._shapes import Float
from ...attention import Attention, attention
from ...kernels import Rope, ScaleRow, SplitRow
from ...model.block import Block, NormWeights
from ...model.condition import Stage, run_block

MOST_GRAPHS = 64  # of all runs in a process; PyTorch's own limit of 8 is below what edits and adapters need together
MOST_WRITTEN = 1024  # tokens whose scores, h·n² numbers, are written to memory


def compiled_block(stage: Stage, index: int, block: Block, x: Tensor) -> Tensor:
    """A `RunBlock`: the block's compiled code where gradients are wanted, else the block itself."""
    if not torch.is_grad_enabled():
        return run_block(stage, index, block, x)
    from torch._dynamo import config  # which takes seconds to import

    is_autocast = torch.is_autocast_enabled(x.device.type)
    if is_autocast:
        x = x.float()  # embedders give bfloat16, blocks float32
    norms = stage.norm_weights[index]
    rows = [_alike(row, len(x)) for row in norms[:4]]
    # a copy has the strides of its own shape: a part of a table those of the whole
    rope = _of_any_size(stage.rope.contiguous(), 0, 1)
    is_written = x.device.type == "cpu" and (is_autocast or x.dtype == torch.bfloat16) and x.shape[1] <= MOST_WRITTEN
    attend = written_attention if is_written else attention
    with config.patch(cache_size_limit=MOST_GRAPHS):
        return _compiled()(block, _of_any_size(x, 0, 1), rope, NormWeights(*rows, qk=norms.qk), attend)


def written_attention(
    q: Float[Tensor, "b h n e"], k: Float[Tensor, "b h m e"], v: Float[Tensor, "b h m e"], *, is_causal: bool = False
) -> Float[Tensor, "b n h*e"]:
    """Attention as two products, for CPUs: with its backward PyTorch's own takes longer in bfloat16 than in float32.

    The softmax is written out, too, as the compiler would recognise it and put PyTorch's kernel back.
    """
    if is_causal:
        raise NotImplementedError("blocks of a transformer for pictures have no causal attention")
    scores = (q @ k.mT).float() * q.shape[-1] ** -0.5
    shares = (scores - scores.amax(-1, keepdim=True).detach()).exp()
    shares = shares / shares.sum(-1, keepdim=True)
    return rearrange(shares.to(v.dtype) @ v, "b h n e -> b n (h e)")


def refuse_uncompilable(device: torch.device) -> None:
    """Raise ValueError with one sentence where PyTorch cannot compile something small for a device."""
    try:
        torch.compile(_probe)(torch.ones(8, device=device))
    except Exception as error:  # compilers raise anything
        reason = str(error).strip().partition("\n")[0]
        raise ValueError(
            f"compile needs a C++ compiler, and on a GPU Triton; here PyTorch says: {reason}; install what is missing, "
            "or train without compile"
        ) from error


@cache
def _compiled() -> Callable[..., Tensor]:
    """Made when it is first needed, as it imports the compiler."""
    made: Any = torch.compile(_block)
    return made


def _block(
    block: Block, x: Float[Tensor, "b n d"], rope: Rope, norms: NormWeights, attend: Attention
) -> Float[Tensor, "b n d"]:
    return block(x, rope, norms, attend)


def _alike(row: ScaleRow, batch: int) -> ScaleRow:
    """A row per example also where one serves all."""
    if isinstance(row, SplitRow):
        return SplitRow(_of_any_size(row.clean, 0), _of_any_size(row.noisy, 0), row.start)
    return _of_any_size(row if len(row) == batch else row.repeat(batch, 1, 1), 0)


def _of_any_size(x: Tensor, *axes: int) -> Tensor:
    """The tensor, marked as one whose sizes vary on these axes, but for a size of 1, which broadcasts."""
    from torch._dynamo import maybe_mark_dynamic

    for axis in axes:
        if x.shape[axis] > 1:
            maybe_mark_dynamic(x, axis)
    return x


def _probe(x: Tensor) -> Tensor:
    return x.sin() * x.cos()
