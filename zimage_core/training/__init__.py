"""Objectives, batches, averages and the runner every kind of training shares."""

from .loop.batches import fitting, token_count
from .loop.ema import Ema
from .loop.init_weights import initialise
from .loop.runner import Progress, Recipe, train
from .objectives.flow_matching import flow_matching_loss, logit_normal_sigmas

__all__ = [
    "Ema",
    "Progress",
    "Recipe",
    "fitting",
    "flow_matching_loss",
    "initialise",
    "logit_normal_sigmas",
    "token_count",
    "train",
]
