"""The core's sampling loop as a ComfyUI sampler: with ComfyUI's guider, noise, masks, previews and progress."""

import logging
import math
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import comfy.model_base
import comfy.sample
import comfy.samplers
import torch
from comfy.patcher_extension import WrappersMP
from torch import Tensor

from ....zimage_core.diagnosis import LatentStatistics, RunFacts, start_problem
from ....zimage_core.sampling import LAST_STEP, SOLVERS, Guidance, StepRange, count_nfe, denoise, shifted_schedule
from ..network.nano_sizes import size_note
from ..network.overflow import MODEL_OVERFLOWED, check_drawn, check_finite
from ..network.unequal_prompts import compares_prompts
from ..patches.run_facts import WHOLE, result_note, settings_facts, statistics_of
from . import previews
from .latents import check_channels, to_intermediate
from .model_shift import set_shift
from .noise import batch_noise, noise_per_picture, seeds_of
from .region_prompts import unheard_note

LOGGER = logging.getLogger("zimage")
COUNTER_KEY = "zimage_evaluations"
MOST_STEPS = 1000
GUIDANCE_FIELDS = {"cfg": "cfg", "cfg_truncation": "truncation", "cfg_start": "start"}  # widget -> field of Guidance
RANGE = (("start_at_step", 0), ("end_at_step", LAST_STEP), ("return_with_leftover_noise", False))  # neutral values

NO_NEGATIVE = (
    "Z-Image Turbo Sampler has no negative prompt, so a node before it that compares the two prompts inside attention, "
    "as NAGuidance does, changes nothing: use Z-Image NAG, which has a negative prompt of its own, or Z-Image Sampler "
    "with cfg 1 and a negative prompt"
)

NO_STEPS = (
    "No step ran, so the latent leaves as it came: img2img strength is 0, or none of this run's steps lies between "
    "start at step and end at step. A strength below 1 leaves out the first steps; the others keep their numbers."
)
MASKED_HAND_OVER = (
    "This latent has a mask, and a masked run cannot be shared by two samplers: what lies outside the mask would be "
    "handed over as noise. Draw it with one sampler, with add noise on and return with leftover noise off."
)


class SamplingResult(NamedTuple):
    """A finished latent and what it took."""

    latent: dict[str, Any]
    nfe: int  # network calls per image
    seconds: float  # for the whole batch, without loading the model
    note: str = ""  # what the artist should know of this run
    seeds: tuple[int, ...] = ()  # of the pictures, where each has its own

    def ui(self) -> dict[str, Any]:
        """The node's UI output, which js/zimage/samplers/sampler.mjs shows on the node."""
        n_images = len(self.latent["samples"])
        run: dict[str, Any] = {"evaluations": self.nfe, "seconds": self.seconds, "pictures": n_images}
        if len(self.seeds) > 1:
            run["seeds"] = ", ".join(map(str, self.seeds))  # beyond what JavaScript's numbers hold
        return {"zimage_run": [run], **({"text": [self.note]} if self.note else {})}


class ZImageGuider(comfy.samplers.CFGGuider):
    """ComfyUI's CFG where the core's guidance is active; at other noise levels only the positive prompt runs."""

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
    shift: float | None = None,
    adds_noise: bool = True,
    has_seed_per_picture: bool = False,
    bar: Any = None,
) -> SamplingResult:
    """Sample a latent along `sigmas`; fewer than two of them return it as it is.

    `shift` is that of `sigmas`, where it may be another than the MODEL's. Without `adds_noise` the latent is one that
    another sampler left at the first of `sigmas`. With `has_seed_per_picture`, picture k of a batch begins with the
    noise of `seed` + k alone. `bar` is a progress bar of several runs, instead of this one's own.
    """
    check_model(model)
    start = starting_latent(model, latent)
    if len(sigmas) < 2:  # strength 0, or a range without steps: nothing to do
        return SamplingResult({**latent, "samples": start}, 0, 0.0, NO_STEPS)
    if latent.get("noise_mask") is not None and (sigmas[-1] > 0 or not adds_noise):
        raise ValueError(MASKED_HAND_OVER)
    numbers = latent.get("batch_index")
    draw_noise = noise_per_picture if has_seed_per_picture else batch_noise
    noise = draw_noise(start, seed, numbers) if adds_noise else torch.zeros_like(start)
    if negative is positive and compares_prompts(model.model_options):
        LOGGER.warning(NO_NEGATIVE)
    counted, nfe = with_call_counter(model)
    if shift is not None:
        set_shift(counted, shift)
    if guidance.normalization:
        counted.set_model_sampler_cfg_function(lambda args: normalized_cfg(args, guidance))
    guider = ZImageGuider(counted, guidance)
    guider.set_conds(positive, negative)
    start_times: list[float] = []
    samples = guider.sample(
        noise,
        start,
        comfy.samplers.KSAMPLER(sampler_function(solver, start_times.append)),
        sigmas,
        denoise_mask=latent.get("noise_mask"),
        callback=previews.prepare_callback(model, len(sigmas) - 1, bar),
        disable_pbar=True,
        seed=seed,
    )
    finished = to_intermediate(samples)  # synchronizes with the device, so the time below is complete
    seconds = time.perf_counter() - start_times[0]
    found = statistics_of(model, finished)
    check_drawn([each.is_finite for each in found], MODEL_OVERFLOWED)
    out = {key: value for key, value in latent.items() if key != "downscale_ratio_spacial"}
    is_masked = latent.get("noise_mask") is not None
    notes = [size_note(model, start.shape, is_masked=is_masked), unheard_note(model, positive)]
    if sigmas[-1] == 0:
        notes += _problems(model, start if sigmas[0] < WHOLE else None, found, settings_facts(guidance.cfg, sigmas))
    note = "\n".join(filter(None, notes))
    seeds = seeds_of(start, seed, numbers) if has_seed_per_picture and adds_noise else ()
    return SamplingResult({**out, "samples": finished}, nfe(), seconds, note, seeds)


def _problems(model: Any, start: Tensor | None, found: Sequence[LatentStatistics], facts: RunFacts) -> tuple[str, ...]:
    """What is wrong with the latents a run went on from, and with its results."""
    starts = [] if start is None else statistics_of(model, start)
    result = result_note(model, model.model_options.get("transformer_options", {}), found, facts)
    problems = (*dict.fromkeys(map(start_problem, starts)), result)
    for problem in filter(None, problems):
        LOGGER.warning("Z-Image: %s", problem)
    return problems


def planned_nfe(widgets: Mapping[str, Any]) -> int:
    """Network calls per image with these values of a sampler's widgets, without a step cache.

    Raises KeyError, TypeError or ValueError for missing or impossible values.
    """
    steps = finite("steps", widgets["steps"])
    if steps > MOST_STEPS:
        raise ValueError(f"{steps:.0f} steps are not counted; the most is {MOST_STEPS}")
    sigmas = shifted_schedule(int(steps), finite("shift", widgets["shift"]), finite("strength", widgets["strength"]))
    start, end, keeps_noise = (int(finite(name, widgets.get(name, neutral))) for name, neutral in RANGE)
    taken = StepRange(start=start, end=end, keeps_noise=bool(keeps_noise))
    given = {field: finite(name, widgets[name]) for name, field in GUIDANCE_FIELDS.items() if name in widgets}
    return count_nfe(taken.of(sigmas, int(steps)), solver=SOLVERS[widgets["solver"]](), guidance=Guidance(**given))


def finite(name: str, value: Any) -> float:
    """A widget's value as a number; ValueError where it is NaN or infinite."""
    try:
        number = float(value)
    except OverflowError:  # an integer beyond any float
        number = math.inf
    if not math.isfinite(number):
        raise ValueError(f"{name} is {number}, which is not a finite number")
    return number


def normalized_cfg(args: dict[str, Any], guidance: Guidance) -> Tensor:
    """The core's guidance as ComfyUI's `sampler_cfg_function`; at cond_scale 1 there is no negative prediction."""
    return args["cond"] if args["cond_scale"] == 1 else guidance(args["cond"], args["uncond"])


def sampler_function(solver: str, on_start: Callable[[float], object] = lambda now: None) -> Callable[..., Tensor]:
    """The core's loop with the signature of ComfyUI's sampler functions, whose `model` returns x0, not the velocity.

    `on_start` is called with the time at which the loop starts; models are loaded by then.
    """

    def run(
        model: Any,
        x: Tensor,
        sigmas: Tensor,
        extra_args: dict[str, Any],
        callback: Any = None,
        disable: Any = None,
    ) -> Tensor:
        on_start(time.perf_counter())
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


def with_call_counter(model: Any) -> tuple[Any, Callable[[], int]]:
    """A clone of the model that counts its network calls per image, and a function that returns the count."""
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
    """The latent's samples (b, 16, h, w); empty ones of another shape are adapted, others refused (ValueError)."""
    samples = comfy.sample.fix_empty_latent_channels(model, latent["samples"], latent.get("downscale_ratio_spacial"))
    if samples.ndim == 5 and samples.shape[2] == 1:
        samples = samples[:, :, 0]
    check_channels(samples)
    check_finite(samples, "The latent connected here", "fix the sampler or the VAE Encode it comes from.")
    return samples
