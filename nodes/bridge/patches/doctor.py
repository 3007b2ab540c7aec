"""A MODEL that watches its own steps: a step that comes out as NaN is told with layer and cause, or repeated safely.

A run without trouble costs one sum and one synchronization a step. A broken step is run again, until one form of it
gives numbers: as it was with hooks that find the first broken layer, with plain attention, in float32.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import comfy.model_base
import comfy.utils
import torch
from comfy.model_patcher import create_model_options_clone
from comfy.patcher_extension import WrappersMP
from torch import Tensor

from ....zimage_core.diagnosis import (
    Form,
    Size,
    Trace,
    Trial,
    cause_of_broken_step,
    is_finite,
    lora_problem,
    overflow_note,
    settings_problem,
    start_problem,
)
from ..network.attach import DIFFUSION_MODEL
from .run_facts import WHOLE, attention_name, lora_change, result_note, settings_facts, statistics_of
from .run_state import options_of_run, replace_wrappers
from .step_cache import KEY as STEP_CACHE
from .trials import NOTE_SIZES, TRIAL, Rerun, call_in_form

LOGGER = logging.getLogger("zimage")
KEY = "zimage_doctor"
STOP, REPEAT = "stop and say why", "repeat it safely"
JUDGED = ("Turbo (", "base (")  # beginnings of the releases whose settings are known
FORMS = (Form.PLAIN_ATTENTION, Form.FLOAT32)  # from the nearest to the safest

Options = dict[str, Any]
Say = Callable[[str], None]


@dataclass
class Watch:
    """One sampling run."""

    guider: Any
    n_steps: int
    repeats: bool
    step: int = 0  # from 1
    repaired: list[int] = field(default_factory=list[int])
    cause: str = ""  # of the first broken step
    overflow: Size | None = None  # the first in float16, clamped
    overflowed: set[int] = field(default_factory=set[int])  # steps with one

    def note_sizes(self, trace: Trace) -> None:
        """Of a network call in float16."""
        found = trace.first_from(torch.finfo(torch.float16).max)
        if found is not None:
            self.overflow = self.overflow or found
            self.overflowed.add(self.step)


def with_doctor(model: Any, choice: str, release: str, say: Say) -> Any:
    """A clone that watches its steps; it replaces an earlier Doctor. `say` is given what a run was found to be.

    `release` is the report's word for the model's release, empty if it is not known.
    """
    if not isinstance(model.model, comfy.model_base.Lumina2):
        raise ValueError(
            f"Z-Image Doctor is made for Z-Image models, but the model here is {type(model.model).__name__}. "
            "Connect a Z-Image model."
        )
    clone = model.clone()
    wrappers = {
        WrappersMP.OUTER_SAMPLE: partial(examine_run, choice == REPEAT, release, say),
        WrappersMP.PREDICT_NOISE: guard_step,
        WrappersMP.DIFFUSION_MODEL: call_in_form,
    }
    replace_wrappers(clone, KEY, wrappers)
    return clone


def examine_run(repeats: bool, release: str, say: Say, executor: Any, *args: Any, **kwargs: Any) -> Tensor:
    """OUTER_SAMPLE wrapper: one run, and what is to be said of it at its end."""
    guider, latent, sigmas = executor.class_obj, args[1], args[3]
    watch = Watch(guider, len(sigmas) - 1, repeats)
    with options_of_run(guider, {KEY: watch, NOTE_SIZES: watch.note_sizes}):
        samples = executor(*args, **kwargs)
    said = [*filter(None, (_repairs(watch), _overflow(watch), *_problems(guider, latent, sigmas, samples, release)))]
    for sentence in said:
        LOGGER.warning("Z-Image Doctor: %s", sentence)
    say("\n".join(said))
    return samples


def guard_step(executor: Any, x: Tensor, timestep: Tensor, model_options: Options, *args: Any, **kwargs: Any) -> Tensor:
    """PREDICT_NOISE wrapper: all prompts at one latent, guidance included."""
    watch: Watch | None = model_options.get("transformer_options", {}).get(KEY)
    if watch is None or TRIAL in model_options["transformer_options"]:
        return executor(x, timestep, model_options, *args, **kwargs)
    watch.step += 1
    denoised = executor(x, timestep, model_options, *args, **kwargs)
    if is_finite(denoised):
        return denoised

    def again(form: Form) -> tuple[Tensor, Rerun]:
        rerun = Rerun(form)
        changed = create_model_options_clone(model_options)
        changed["transformer_options"] = rerun.options(changed["transformer_options"])
        return executor(x, timestep, changed, *args, **kwargs), rerun

    return repaired_step(watch, model_options["transformer_options"], again)


def repaired_step(watch: Watch, options: Options, again: Callable[[Form], tuple[Tensor, Rerun]]) -> Tensor:
    """The broken step's x0 from the first form that gives numbers; ValueError with the cause where it is not wanted."""
    if STEP_CACHE in options:
        options[STEP_CACHE].clear()  # it holds the broken prediction
    denoised, first = again(Form.SAME)
    trials = {Form.SAME: Trial(is_finite=is_finite(denoised), trace=first.trace)}
    for form in FORMS:
        if not any(each.is_finite for each in trials.values()):
            denoised, rerun = again(form)
            trials[form] = Trial(is_finite=is_finite(denoised), trace=rerun.trace)
    watch.cause = watch.cause or _where_and_why(watch, options, trials, first)
    if not watch.repeats or not any(each.is_finite for each in trials.values()):
        raise ValueError(f"Step {watch.step} of {watch.n_steps} came out as NaN {watch.cause}")
    watch.repaired.append(watch.step)
    return denoised


def _where_and_why(watch: Watch, options: Options, trials: dict[Form, Trial], rerun: Rerun) -> str:
    model, first = watch.guider.model_patcher, trials[Form.SAME].trace.first_from()
    cause = cause_of_broken_step(
        trials,
        dtype=rerun.dtype,
        attention=attention_name(options),
        lora_change=lora_change(model),
        has_broken_weight=first is not None and _has_broken_weight(model, first.layer),
        has_broken_latent=rerun.has_broken_latent,
        has_broken_prompt=rerun.has_broken_prompt,
        cfg=getattr(watch.guider, "cfg", 1.0),
    )
    return f"in {first.layer} ({first.part}): {cause}" if first else f"outside the model: {cause}"


def _has_broken_weight(model: Any, layer: str) -> bool:
    weight = getattr(comfy.utils.get_attr(model.model, f"{DIFFUSION_MODEL}.{layer}"), "weight", None)
    return isinstance(weight, Tensor) and not is_finite(weight.detach().float())


def _repairs(watch: Watch) -> str:
    if not watch.repaired:
        return ""
    steps = ", ".join(map(str, watch.repaired))
    return f"Repeated safely, of {watch.n_steps} steps: {steps}. The first came out as NaN {watch.cause}"


def _overflow(watch: Watch) -> str:
    return overflow_note(watch.overflow, len(watch.overflowed)) if watch.overflow else ""


def _problems(guider: Any, latent: Tensor, sigmas: Tensor, samples: Tensor, release: str) -> list[str]:
    """What is wrong with a run's start, its result and its settings; a part of a run is not judged."""
    if sigmas[-1] > 0:
        return []
    model, facts = guider.model_patcher, settings_facts(getattr(guider, "cfg", 1.0), sigmas)
    is_whole = bool(sigmas[0] > WHOLE)
    problems = [] if is_whole else [start_problem(each) for each in statistics_of(model, latent)]
    options = guider.model_options.get("transformer_options", {})
    problems.append(result_note(model, options, statistics_of(model, samples), facts))
    if not any(problems):
        problems.append(lora_problem(lora_change(model)))
    if is_whole and release.startswith(JUDGED):
        problems.append(settings_problem(facts, is_turbo=release.startswith(JUDGED[0])))
    return [*dict.fromkeys(problems)]
