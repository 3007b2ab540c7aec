"""The core's sampling loop run by ComfyUI: its guider, its noise, its masks, its previews and progress."""

import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import comfy.model_base
import comfy.sample
import comfy.samplers
from comfy.patcher_extension import WrappersMP
from torch import Tensor

from ....zimage_core.sampling import SOLVERS, Guidance, count_evaluations, denoise, shifted_schedule
from . import previews
from .latents import check_channels, to_intermediate

COUNTER_KEY = "zimage_evaluations"
MOST_STEPS = 1000
GUIDANCE = {"cfg": "cfg", "cfg_truncation": "truncation", "cfg_start": "start"}  # a widget's name, and Guidance's


class Run(NamedTuple):
    """A finished run."""

    latent: dict[str, Any]
    evaluations: int  # of the network, for each picture
    seconds: float  # for all pictures, without loading the model

    def told(self) -> dict[str, Any]:
        """What the page shows on the sampler."""
        pictures = len(self.latent["samples"])
        return {"zimage_run": [{"evaluations": self.evaluations, "seconds": self.seconds, "pictures": pictures}]}


class ZImageGuider(comfy.samplers.CFGGuider):
    """ComfyUI's guidance at the noise levels the core's guidance is active at; no negative prompt at the others."""

    def __init__(self, model: Any, guidance: Guidance) -> None:
        super().__init__(model)
        self.guidance = guidance
        self.set_cfg(guidance.cfg)

    def predict_noise(
        self, x: Tensor, timestep: Tensor, model_options: dict[str, Any] | None = None, seed: Any = None
    ) -> Tensor:  # noqa: B006
        is_guided = not self.guidance.has_interval or self.guidance.is_active(float(timestep.flatten()[0]))
        self.cfg = self.guidance.cfg if is_guided else 1.0
        return super().predict_noise(x, timestep, model_options or {}, seed)


def sample(
    model: Any,
    positive: Any,
    negative: Any,
    latent: dict[str, Any],
    *,
    sigmas: Tensor,
    seed: int,
    solver: str,
    guidance: Guidance,
) -> Run:
    """Run the loop."""
    check_model(model)
    start = starting_latent(model, latent)
    if len(sigmas) < 2:  # strength 0: nothing to do
        return Run({**latent, "samples": start}, 0, 0.0)
    noise = comfy.sample.prepare_noise(start, seed, latent.get("batch_index"))
    counted, evaluations = with_counter(model)
    if guidance.normalization:
        counted.set_model_sampler_cfg_function(lambda args: guided(args, guidance))
    guider = ZImageGuider(counted, guidance)
    guider.set_conds(positive, negative)
    began: list[float] = []
    samples = guider.sample(
        noise,
        start,
        comfy.samplers.KSAMPLER(sampler_function(solver, began.append)),
        sigmas,
        denoise_mask=latent.get("noise_mask"),
        callback=previews.prepare_callback(model, len(sigmas) - 1),
        disable_pbar=True,
        seed=seed,
    )
    finished = to_intermediate(samples)  # where the picture is waited for
    out = {key: value for key, value in latent.items() if key != "downscale_ratio_spacial"}
    return Run({**out, "samples": finished}, evaluations(), time.perf_counter() - began[0])


def planned_evaluations(widgets: Mapping[str, Any]) -> int:
    """Evaluations that a picture will take with these values of a sampler's widgets, without a step cache."""
    steps = int(widgets["steps"])
    if steps > MOST_STEPS:
        raise ValueError(f"{steps} steps are not counted; the most is {MOST_STEPS}")
    sigmas = shifted_schedule(steps, float(widgets["shift"]), float(widgets["strength"]))
    guidance = Guidance(**{ours: float(widgets[name]) for name, ours in GUIDANCE.items() if name in widgets})
    return count_evaluations(sigmas, solver=SOLVERS[widgets["solver"]](), guidance=guidance)


def guided(args: dict[str, Any], guidance: Guidance) -> Tensor:
    """The core's guidance in ComfyUI's hook; where guidance is off there is no negative prediction to look at."""
    return args["cond"] if args["cond_scale"] == 1 else guidance(args["cond"], args["uncond"])


def sampler_function(solver: str, tell_time: Callable[[float], object] = lambda now: None) -> Callable[..., Tensor]:
    """The core's loop in the form ComfyUI's samplers have: `model` returns pictures, the loop wants velocities.

    `tell_time` hears when the loop begins, which is when everything is loaded.
    """

    def run(
        model: Any,
        x: Tensor,
        sigmas: Tensor,
        extra_args: dict[str, Any],
        callback: Any = None,
        disable: Any = None,
    ) -> Tensor:
        tell_time(time.perf_counter())
        ones = x.new_ones(len(x))

        def velocity(x: Tensor, sigma: float) -> Tensor:
            return (x - model(x, sigma * ones, **extra_args)) / sigma

        for step in denoise(velocity, x, sigmas, solver=SOLVERS[solver]()):
            x = step.x
            if callback is not None:
                callback({"i": step.index, "x": step.x, "denoised": step.denoised, "sigma": step.sigma})
        return x

    run.__name__ = f"zimage_{solver}"
    return run


def with_counter(model: Any) -> tuple[Any, Callable[[], int]]:
    """A clone of the model that counts its network's evaluations per picture, and a function that tells the count."""
    count = 0

    def wrapper(executor: Any, *args: Any, **kwargs: Any) -> Any:
        nonlocal count
        count += len(kwargs.get("transformer_options", {}).get("cond_or_uncond", (0,)))
        return executor(*args, **kwargs)

    clone = model.clone()
    clone.remove_wrappers_with_key(WrappersMP.DIFFUSION_MODEL, COUNTER_KEY)
    clone.add_wrapper_with_key(WrappersMP.DIFFUSION_MODEL, COUNTER_KEY, wrapper)
    return clone, lambda: count


def check_model(model: Any) -> None:
    """Refuse a MODEL of another family before anything runs."""
    if not isinstance(model.model, comfy.model_base.Lumina2):
        raise ValueError(
            f"This sampler runs Z-Image models, but the model here is {type(model.model).__name__}. "
            "Load a Z-Image file with Z-Image Load Model or the stock Load Diffusion Model, or use the stock KSampler."
        )


def starting_latent(model: Any, latent: dict[str, Any]) -> Tensor:
    """The latent's samples; empty ones of another shape are refitted, encoded ones of another VAE refused."""
    samples = comfy.sample.fix_empty_latent_channels(model, latent["samples"], latent.get("downscale_ratio_spacial"))
    if samples.ndim == 5 and samples.shape[2] == 1:
        samples = samples[:, :, 0]
    check_channels(samples)
    return samples
