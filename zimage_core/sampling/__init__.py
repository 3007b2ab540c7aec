"""Flow-matching sampling: schedule, solvers, guidance and the loop that joins them."""

from .guidance import Guidance
from .loop import Step, denoise, start_latent
from .presets import BASE, NANO, OMNI, TURBO, Preset
from .schedule import shift_sigma, shifted_schedule
from .solvers import SOLVERS, ResMultistep, Solver, Velocity, euler, heun

__all__ = [
    "BASE",
    "NANO",
    "OMNI",
    "SOLVERS",
    "TURBO",
    "Guidance",
    "Preset",
    "ResMultistep",
    "Solver",
    "Step",
    "Velocity",
    "denoise",
    "euler",
    "heun",
    "shift_sigma",
    "shifted_schedule",
    "start_latent",
]
