"""Training: objectives, and a loop with resumable state, EMA weights and batches by token budget."""

from .loop.batches import batch_size_within, token_count
from .loop.ema import Ema
from .loop.init_weights import init_weights
from .loop.runner import Progress, Recipe, train
from .objectives.flow_matching import flow_matching_loss, logit_normal_sigmas

__all__ = [
    "Ema",
    "Progress",
    "Recipe",
    "batch_size_within",
    "flow_matching_loss",
    "init_weights",
    "logit_normal_sigmas",
    "token_count",
    "train",
]
