"""Flow-matching losses of examples of one shape, through the transformer."""

from collections.abc import Sequence

from torch import Tensor
from torch.utils.checkpoint import checkpoint

from ..._shapes import Float
from ...model import S3DiT
from ...model.block import Block
from ...model.condition import Condition, RunBlock, Stage, run_block
from ..loop.micro_batches import Noised, stacked, stacked_weights
from .flow_matching import flow_matching_losses


def losses_of(
    dit: S3DiT, group: Sequence[Noised], *, saves_memory: bool = False, run: RunBlock | None = None
) -> tuple[Float[Tensor, " b"], Float[Tensor, " b"]]:
    """The loss of each example, and its level, on the transformer's device.

    With `saves_memory` blocks keep their inputs alone, and compute again when gradients pass. `run` replaces both.
    """
    run, like = run or (recomputed(run_block) if saves_memory else run_block), dit.x_pad_token
    x0, noise, sigma = (each.to(like.device) for each in stacked(group))
    weight = stacked_weights(group)
    weight = None if weight is None else weight.to(like.device)
    condition = condition_of(dit, group, (x0.shape[-2], x0.shape[-1]), run)
    return flow_matching_losses(dit.flow(condition, run=run), x0, noise, sigma, weight), sigma


def condition_of(dit: S3DiT, group: Sequence[Noised], size: tuple[int, int], run: RunBlock) -> Condition:
    """What the transformer is told: captions, or instructions with the pictures they are about."""
    chunks = [[chunk.to(dit.x_pad_token) for chunk in each.chunks] for each in group]
    seen = [each.seen.references if each.seen else () for each in group]
    if not any(seen):
        return dit.prepare([caption for (caption,) in chunks], size, run=run)
    references = [[each.to(dit.x_pad_token) for each in item] for item in seen]
    return dit.prepare_with_references(chunks, references, size, run=run)


def recomputed(run: RunBlock) -> RunBlock:
    """Blocks whose activations are not kept (gradient checkpointing, arXiv 1604.06174)."""

    def run_again(stage: Stage, index: int, block: Block, x: Tensor) -> Tensor:
        out = checkpoint(run, stage, index, block, x, use_reentrant=False)
        assert isinstance(out, Tensor)
        return out

    return run_again
