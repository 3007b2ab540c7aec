"""Flow-matching losses of examples of one shape, through the transformer."""

from collections.abc import Sequence

from torch import Tensor
from torch.utils.checkpoint import checkpoint

from ..._shapes import Float
from ...model import S3DiT
from ...model.block import Block
from ...model.condition import Stage, run_block
from ..loop.micro_batches import Noised, stacked
from .flow_matching import flow_matching_losses


def losses_of(
    dit: S3DiT, group: Sequence[Noised], *, saves_memory: bool = False
) -> tuple[Float[Tensor, " b"], Float[Tensor, " b"]]:
    """The loss of each example, and its level, on the transformer's device.

    With `saves_memory` blocks keep their inputs alone, and compute again when gradients pass.
    """
    run, like = recomputed_block if saves_memory else run_block, dit.x_pad_token
    x0, noise, sigma, captions = stacked(group)
    x0, noise, sigma = (each.to(like.device) for each in (x0, noise, sigma))
    condition = dit.prepare([each.to(like) for each in captions], (x0.shape[-2], x0.shape[-1]), run=run)
    return flow_matching_losses(dit.flow(condition, run=run), x0, noise, sigma), sigma


def recomputed_block(stage: Stage, index: int, block: Block, x: Tensor) -> Tensor:
    """A block whose activations are not kept (gradient checkpointing, arXiv 1604.06174)."""
    out = checkpoint(run_block, stage, index, block, x, use_reentrant=False)
    assert isinstance(out, Tensor)
    return out
