"""Bytes that a training step takes beside what stays, counted by running the step itself on the meta device.

Tensors there have shapes and no memory. Two and three layers are run, and the others extrapolated: until the gradients
reach the first layer a step holds what all layers keep, from there on the gradients of all the others. Both grow by the
same bytes with each layer. Attention counts as one kernel, which keeps no scores.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from ..._shapes import Float
from ...config import DiTConfig
from ...model import S3DiT
from ...model.block import Block
from ...model.condition import RunBlock, Stage
from ...quant import Scheme, quantize_layers
from ...runtime.live_bytes import LiveBytes, storage_of
from ..loop.micro_batches import Noised
from ..loop.optimizers import state_bytes
from ..objectives.noised import losses_of, recomputed
from ..trainables import Trainable

FEW, MORE = 2, 3  # layers that are run
META = torch.device("meta")


class StepBytes(NamedTuple):
    """All grow evenly with the number of layers."""

    before: int  # peak of activations and gradients until the gradients have passed all layers but the first
    after: int  # and from there on
    learned: int  # parameters that learn
    moments: int  # the optimizer's state of them

    def extrapolated(self, more: "StepBytes", n_layers: int) -> "StepBytes":
        """This is of `FEW` layers, `more` of `MORE`."""
        steps = (n_layers - FEW) // (MORE - FEW)
        return StepBytes(*(few + steps * (many - few) for few, many in zip(self, more, strict=True)))


def step_bytes(
    config: DiTConfig,
    groups: Sequence[Sequence[Noised]],
    trainable_of: Callable[[S3DiT], Trainable],
    optimizer: str,
    *,
    dtype: torch.dtype,
    scheme: Scheme | None = None,
    saves_memory: bool = True,
) -> StepBytes:
    """Of groups of examples on the meta device whose graphs are held at once; one group is what most losses have.

    The network is of `dtype`, and `scheme` quantizes its layers, if given.
    """

    def counted(n_layers: int) -> StepBytes:
        dit = S3DiT(replace(config, n_layers=n_layers), device=META, dtype=dtype).requires_grad_(False)
        if scheme:
            quantize_layers(dit, scheme)
        with torch.device(META), WithoutMemory() as mode:
            trainable = trainable_of(dit).to(META)
            before, after = _peaks(mode, dit, trainable, groups, saves_memory=saves_memory)
        parameters = list(trainable.parameters())
        learned = sum(each.nbytes for each in parameters)
        return StepBytes(before, after, learned, state_bytes(optimizer, parameters))

    if config.n_layers <= MORE:
        return counted(config.n_layers)
    return counted(FEW).extrapolated(counted(MORE), config.n_layers)


class WithoutMemory(TorchDispatchMode):
    """Counts the storages that operations on the meta device stand for, and answers what asks for values."""

    def __init__(self) -> None:
        super().__init__()
        self.live = LiveBytes(place=id)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is torch.ops.aten.equal.default:  # of positions, which all examples of a group share
            return True
        if func is torch.ops.aten.rand.generator:  # generators are the CPU's
            return torch.empty(args[0])
        out = func(*args, **(kwargs or {}))
        self.add(tree_leaves(out))
        return out

    def add(self, leaves: Sequence[Any]) -> None:
        """Count the storages of tensors."""
        for storage in filter(None, map(storage_of, leaves)):
            self.live.add(storage)


def _peaks(
    mode: WithoutMemory, dit: S3DiT, trainable: Trainable, groups: Sequence[Sequence[Noised]], *, saves_memory: bool
) -> tuple[int, int]:
    """Peaks of a step before and after its gradients reach the first layer, above what is there all the time.

    Of several groups the gradients come to the first layer several times; the highest peak before one of them counts.
    """
    live, first_peak = mode.live, 0
    mode.add([*dit.parameters(), *dit.buffers(), *trainable.parameters()])
    held = live.peak = live.now

    def reached_first(_: Tensor) -> None:
        nonlocal first_peak
        first_peak, live.peak = max(first_peak, live.peak), live.now

    with trainable.attached():
        run = recomputed(run_fused) if saves_memory else run_fused
        losses = [losses_of(dit, group, run=watched(run, reached_first))[0].mean() for group in groups]
        torch.stack(losses).sum().backward()
    return max(first_peak, held) - held, live.peak - held


def watched(run: RunBlock, reached_first: Callable[[Tensor], None]) -> RunBlock:
    """Tell when the gradients have passed all layers but the first."""

    def run_watched(stage: Stage, index: int, block: Block, x: Tensor) -> Tensor:
        if stage.name == "layers" and index == 1:
            x.register_hook(reached_first)
        return run(stage, index, block, x)

    return run_watched


def run_fused(stage: Stage, index: int, block: Block, x: Tensor) -> Tensor:
    """A block whose attention is one kernel; which one PyTorch would choose depends on a device that is not there."""
    return block(x, rope=stage.rope, norms=stage.norm_weights[index], attend=fused_attention)


def fused_attention(
    q: Float[Tensor, "b h n e"], k: Float[Tensor, "b g m e"], v: Float[Tensor, "b g m e"], *, is_causal: bool = False
) -> Float[Tensor, "b n h*e"]:
    """An attention's memory, without its values."""
    out = FusedAttention.apply(q, k, v)
    assert isinstance(out, Tensor)
    return out.transpose(1, 2).flatten(2)


class FusedAttention(torch.autograd.Function):
    """Keeps inputs, output and a row of log-sum-exps, as FlashAttention does (arXiv 2307.08691)."""

    @staticmethod
    def forward(ctx: Any, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        out = torch.empty_like(q)
        ctx.save_for_backward(q, k, v, out, q.new_empty(q.shape[:-1], dtype=torch.float32))
        return out

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, ...]:
        return tuple(torch.empty_like(each) for each in ctx.saved_tensors[:3])
