"""Flow-matching sampling: schedule, solvers, guidance, step caching and the loop that joins them."""

from .drawn_schedule import STRAIGHT, drawn_schedule, read_points
from .guidance import Guidance
from .loop import Step, denoise, start_latent
from .nfe import count_nfe
from .presets import BASE, NANO, OMNI, TURBO, Preset
from .schedule import shift_sigma, shifted_schedule
from .solvers import SOLVERS, ResMultistep, Solver, Velocity, euler, heun
from .step_cache import UNCACHED, StepCache, StepCacheState
from .step_range import LAST_STEP, StepRange
from .tiles import Tiling, Window, blend, borders, seam_error

__all__ = [
    "BASE",
    "LAST_STEP",
    "NANO",
    "OMNI",
    "SOLVERS",
    "STRAIGHT",
    "TURBO",
    "UNCACHED",
    "Guidance",
    "Preset",
    "ResMultistep",
    "Solver",
    "Step",
    "StepCache",
    "StepCacheState",
    "StepRange",
    "Tiling",
    "Velocity",
    "Window",
    "blend",
    "borders",
    "count_nfe",
    "denoise",
    "drawn_schedule",
    "euler",
    "heun",
    "read_points",
    "seam_error",
    "shift_sigma",
    "shifted_schedule",
    "start_latent",
]
