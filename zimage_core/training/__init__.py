"""Objectives, batches, averages and the runner every kind of training shares."""

from .batches import fitting, token_count
from .ema import Ema
from .initial import initialise
from .objective import flow_matching_loss, logit_normal_sigmas
from .runner import Progress, Recipe, train

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
