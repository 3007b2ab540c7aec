"""Objectives, batches, averages and the runner every kind of training shares."""

from .loop.batches import fitting, token_count
from .loop.ema import Ema
from .loop.init_weights import init_weights
from .loop.runner import Progress, Recipe, train
from .objectives.flow_matching import flow_matching_loss, logit_normal_sigmas

__all__ = [
    "Ema",
    "Progress",
    "Recipe",
    "fitting",
    "flow_matching_loss",
    "init_weights",
    "logit_normal_sigmas",
    "token_count",
    "train",
]
