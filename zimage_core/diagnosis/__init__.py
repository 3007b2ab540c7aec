"""What went wrong in a run: whether a result is a picture, and if not, what made it so."""

from .broken_step import Form, Trial, cause_of_broken_step, overflow_note
from .result import RunFacts, lora_problem, result_problem, settings_problem, start_problem
from .statistics import LatentStatistics, is_finite, latent_statistics
from .trace import Size, Trace, traced

__all__ = [
    "Form",
    "LatentStatistics",
    "RunFacts",
    "Size",
    "Trace",
    "Trial",
    "cause_of_broken_step",
    "is_finite",
    "latent_statistics",
    "lora_problem",
    "overflow_note",
    "result_problem",
    "settings_problem",
    "start_problem",
    "traced",
]
