"""The core's step cache inside ComfyUI, as model wrappers for any Z-Image MODEL from any loader.

The cache's state is kept in the transformer options of one sampling run: it starts empty, is dropped when the run ends,
also by an error, and two runs of one MODEL never share it.
"""

import logging
from functools import partial
from typing import Any

import comfy.model_base
from comfy.patcher_extension import WrappersMP
from torch import Tensor

from ....zimage_core.sampling import StepCache, StepCacheState
from .run_state import options_of_run, replace_wrappers

LOGGER = logging.getLogger("zimage")
KEY = "zimage_step_cache"
DEFAULT_CACHE = StepCache(threshold=0.05)
Options = dict[str, Any]


def with_step_cache(model: Any, cache: StepCache) -> Any:
    """A clone of the model with the step cache, which replaces one set by an earlier node; the model is not changed."""
    if not isinstance(model.model, comfy.model_base.Lumina2):
        raise ValueError(
            f"Z-Image Step Cache is made for Z-Image models, but the model here is {type(model.model).__name__}. "
            "Connect a Z-Image model, or use the stock EasyCache node."
        )
    clone = model.clone()
    wrappers = {
        WrappersMP.OUTER_SAMPLE: partial(sample_with_cache, cache),
        WrappersMP.PREDICT_NOISE: begin_step,
        WrappersMP.DIFFUSION_MODEL: evaluate_cached,
    }
    replace_wrappers(clone, KEY, wrappers, is_on=cache.is_on)
    return clone


def has_step_cache(model: Any) -> bool:
    """Whether an earlier node has set a step cache of this pack on the model."""
    return bool(model.get_wrappers(WrappersMP.OUTER_SAMPLE, KEY))


def sample_with_cache(cache: StepCache, executor: Any, *args: Any, **kwargs: Any) -> Tensor:
    """OUTER_SAMPLE wrapper: one sampling run with a new cache state."""
    guider, sigmas = executor.class_obj, args[3]
    state = StepCacheState(cache=cache, sigmas=sigmas.tolist())
    try:
        with options_of_run(guider, {KEY: state}):
            return executor(*args, **kwargs)
    finally:
        state.clear()
        LOGGER.info(
            "Z-Image Step Cache: the model ran for %d of %d calls and rested for %d (threshold %g)",
            state.nfe,
            state.nfe + state.n_reused,
            state.n_reused,
            cache.threshold,
        )


def begin_step(executor: Any, x: Tensor, timestep: Tensor, model_options: Options, *args: Any, **kwargs: Any) -> Tensor:
    """PREDICT_NOISE wrapper: all prompts at one latent, extra calls of guidance nodes included."""
    state: StepCacheState | None = model_options.get("transformer_options", {}).get(KEY)
    if state is not None:
        state.begin_step(x, float(timestep.flatten()[0]))
    return executor(x, timestep, model_options, *args, **kwargs)


def evaluate_cached(executor: Any, *args: Any, **kwargs: Any) -> Tensor:
    """DIFFUSION_MODEL wrapper: one network call on one prompt or a batch of them; `uuids` has an id for each."""
    options = kwargs.get("transformer_options", {})
    state: StepCacheState | None = options.get(KEY)
    if state is None or "uuids" not in options:
        return executor(*args, **kwargs)
    return state.evaluate(options["uuids"], partial(executor, *args, **kwargs))
