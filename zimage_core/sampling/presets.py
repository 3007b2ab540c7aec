"""Sampling settings of the released models. Nodes and pipeline take their defaults from here."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Preset:
    """Steps, guidance, schedule and solver of one model variant."""

    steps: int
    cfg: float
    shift: float
    solver: str


# Tongyi-MAI/Z-Image-Turbo: 8 NFE, no guidance, scheduler shift 3, Euler (model card and scheduler_config.json).
TURBO = Preset(steps=8, cfg=1.0, shift=3.0, solver="euler")

# Tongyi-MAI/Z-Image: 28-50 steps, guidance 3-5 (model card); shift 6 (scheduler_config.json, as two projects
# quote it). The solver is that of ComfyUI's official template; 28 steps of it look like 50 of Euler.
BASE = Preset(steps=28, cfg=4.0, shift=6.0, solver="res_multistep")

# Tongyi-MAI/Z-Image-Omni-Base is announced, not public: steps and guidance are its pipeline's defaults (guidance_scale
# 5 is cfg 6), the shift is that of the base model.
OMNI = Preset(steps=50, cfg=6.0, shift=6.0, solver="euler")

# The built-in model is not distilled; measured in nano/README.md.
NANO = Preset(steps=20, cfg=3.0, shift=3.0, solver="euler")
