"""The core's step cache inside ComfyUI, around the network of any Z-Image MODEL, whoever loaded it.

A run's memory lives in the run's own transformer options: it begins empty, ends with the run however that ends, and two
runs of one MODEL never share it.
"""

import logging
from functools import partial
from typing import Any

import comfy.model_base
from comfy.model_patcher import create_model_options_clone
from comfy.patcher_extension import WrappersMP
from torch import Tensor

from ....zimage_core.sampling import CachedRun, StepCache

LOGGER = logging.getLogger("zimage")
KEY = "zimage_step_cache"
USUAL = StepCache(threshold=0.05)
Options = dict[str, Any]


def with_step_cache(model: Any, cache: StepCache) -> Any:
    """A clone of the model that caches steps, in place of an earlier cache of ours; the model itself stays as it is."""
    if not isinstance(model.model, comfy.model_base.Lumina2):
        raise ValueError(
            f"Z-Image Step Cache is made for Z-Image models, but the model here is {type(model.model).__name__}. "
            "Connect a Z-Image model, or use the stock EasyCache node."
        )
    clone = model.clone()
    wrappers = {
        WrappersMP.OUTER_SAMPLE: partial(whole_run, cache),
        WrappersMP.PREDICT_NOISE: one_point,
        WrappersMP.DIFFUSION_MODEL: one_call,
    }
    for kind, wrapper in wrappers.items():
        clone.remove_wrappers_with_key(kind, KEY)
        if cache.is_on:
            clone.add_wrapper_with_key(kind, KEY, wrapper)
    return clone


def has_step_cache(model: Any) -> bool:
    """Whether a node before has put a cache of ours on the model."""
    return bool(model.get_wrappers(WrappersMP.OUTER_SAMPLE, KEY))


def whole_run(cache: StepCache, executor: Any, *args: Any, **kwargs: Any) -> Tensor:
    """A sampling run from its first noise level to its last, with a memory of its own."""
    guider, sigmas = executor.class_obj, args[3]
    run = CachedRun(cache=cache, sigmas=sigmas.tolist())
    options = guider.model_options
    guider.model_options = create_model_options_clone(options)
    guider.model_options["transformer_options"][KEY] = run
    try:
        return executor(*args, **kwargs)
    finally:
        guider.model_options = options
        run.clear()
        LOGGER.info(
            "Z-Image Step Cache: the network ran for %d of %d evaluations and rested for %d (threshold %g)",
            run.computed,
            run.computed + run.reused,
            run.reused,
            cache.threshold,
        )


def one_point(executor: Any, x: Tensor, timestep: Tensor, model_options: Options, *args: Any, **kwargs: Any) -> Tensor:
    """All prompts at one latent, and whatever a guidance node evaluates there besides."""
    run = model_options.get("transformer_options", {}).get(KEY)
    if run is not None:
        run.begin(x, float(timestep.flatten()[0]))
    return executor(x, timestep, model_options, *args, **kwargs)


def one_call(executor: Any, *args: Any, **kwargs: Any) -> Tensor:
    """The network on one prompt, or on several in a batch."""
    options = kwargs.get("transformer_options", {})
    run: CachedRun | None = options.get(KEY)
    if run is None or "uuids" not in options:
        return executor(*args, **kwargs)
    return run.evaluate(options["uuids"], partial(executor, *args, **kwargs))
