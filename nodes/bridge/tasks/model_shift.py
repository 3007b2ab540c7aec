"""The MODEL that samples, with the schedule of the run: what ComfyUI converts percents of a run to sigmas with.

Timestep ranges of conditioning, hooks, step caches and ControlNets ask the `model_sampling` of the MODEL that samples
for the sigma of a percent. It must answer with the shift of this run, which our samplers set themselves.
"""

import math
from copy import deepcopy
from typing import Any

from comfy.model_sampling import ModelSamplingDiscreteFlow, ModelSamplingFlux

MODEL_SAMPLING = "model_sampling"  # ComfyUI's name for the object, in a model and in object patches


def set_shift(model: Any, shift: float) -> None:
    """Give a cloned MODEL the shift of its run; one that has it stays as it is."""
    sampling = model.get_model_object(MODEL_SAMPLING)
    parameters = shift_parameters(sampling, shift)
    if any(getattr(sampling, name) != value for name, value in parameters.items()):
        shifted = deepcopy(sampling)
        shifted.set_parameters(**parameters)
        model.add_object_patch(MODEL_SAMPLING, shifted)


def shift_parameters(sampling: Any, shift: float) -> dict[str, float]:
    """The arguments of `set_parameters` for a shift; none for schedules of another kind, which stay as they are."""
    match sampling:
        case ModelSamplingDiscreteFlow():
            return {"shift": shift, "multiplier": sampling.multiplier}
        case ModelSamplingFlux():  # its shift is the logarithm
            return {"shift": math.log(shift)}
        case _:
            return {}
