"""Matrices as products of two narrow ones, by singular values: what a LoRA of rank r can hold of a difference.

Letters: o output width, i input width, r rank.
"""

from dataclasses import replace

import torch
from torch import Tensor

from .._shapes import Float
from ..adapters import Additive, Delta, FullDifference, Lora, LowRank

OVERSAMPLING = 16  # more directions than wanted, and
N_ITERATIONS = 4  # power iterations: the error is then hardly above the least (arXiv 0909.4061, section 4.5)
SEED = 0


def approximate(matrix: Float[Tensor, "o i"], rank: int) -> LowRank:
    """The nearest matrix of a rank, by randomized singular values; a difference of that rank itself."""
    width = min(rank + OVERSAMPLING, *matrix.shape)
    with torch.random.fork_rng(devices=[]):  # the library draws from the global generator
        torch.manual_seed(SEED)
        u, s, v = torch.svd_lowrank(matrix.float(), q=width, niter=N_ITERATIONS)
    return _product(u, s, v, rank)


def truncated(delta: LowRank, rank: int) -> LowRank:
    """The nearest LoRA of a smaller rank, exactly: singular values of the r x r matrix between two bases."""
    if delta.rank <= rank:
        return delta
    base_out, left = torch.linalg.qr(delta.scale * delta.up.float())
    base_in, right = torch.linalg.qr(delta.down.float().T)
    u, s, vh = torch.linalg.svd(left @ right.T)
    return _product(base_out @ u, s, base_in @ vh.T, rank)


def reduced(lora: Lora, rank: int) -> Lora:
    """The same LoRA with all matrices of at most a rank. Raises ValueError for kinds that depend on the weight."""
    return replace(lora, deltas={target: _reduced(delta, rank, lora.file) for target, delta in lora.deltas.items()})


def _reduced(delta: Delta, rank: int, file: str) -> Delta:
    match delta:
        case LowRank():
            return truncated(delta, rank)
        case FullDifference() if len(delta.shape) != 2:
            return delta
        case _ if isinstance(delta, Additive):
            return approximate(delta.matrix(), rank)
        case _:
            raise ValueError(
                f"{file} holds a {delta.kind}, whose change depends on the model's weight: name the base model too"
            )


def _product(u: Tensor, s: Tensor, v: Tensor, rank: int) -> LowRank:
    """u diag(s) v.T of the first singular values, shared between both matrices."""
    root = s[:rank].sqrt()
    return LowRank(up=u[:, :rank] * root, down=(v[:, :rank] * root).T.contiguous())
