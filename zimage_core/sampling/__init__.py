"""Flow-matching sampling: schedule, solvers, guidance, step caching and the loop that joins them."""

from .cost import count_evaluations
from .guidance import Guidance
from .loop import Step, denoise, start_latent
from .presets import BASE, NANO, OMNI, TURBO, Preset
from .schedule import shift_sigma, shifted_schedule
from .solvers import SOLVERS, ResMultistep, Solver, Velocity, euler, heun
from .step_cache import UNCACHED, CachedRun, StepCache

__all__ = [
    "BASE",
    "NANO",
    "OMNI",
    "SOLVERS",
    "TURBO",
    "UNCACHED",
    "CachedRun",
    "Guidance",
    "Preset",
    "ResMultistep",
    "Solver",
    "Step",
    "StepCache",
    "Velocity",
    "count_evaluations",
    "denoise",
    "euler",
    "heun",
    "shift_sigma",
    "shifted_schedule",
    "start_latent",
]
