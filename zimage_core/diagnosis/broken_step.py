"""Why a step came out as NaN: a verdict from the same step run again in other forms."""

from dataclasses import dataclass, field
from enum import Enum

import torch

from .result import lora_problem
from .trace import Size, Trace


class Form(Enum):
    """How a step is run again."""

    SAME = "as it was"
    PLAIN_ATTENTION = "with ComfyUI's plain attention"
    FLOAT32 = "in float32 with ComfyUI's plain attention"


@dataclass(frozen=True, kw_only=True)
class Trial:
    """A step run again."""

    is_finite: bool  # its result
    trace: Trace = field(default_factory=Trace)


def cause_of_broken_step(
    trials: dict[Form, Trial],
    *,
    dtype: torch.dtype,
    attention: str = "",
    lora_change: float = 0.0,
    has_broken_weight: bool = False,
    has_broken_latent: bool = False,
    has_broken_prompt: bool = False,
    cfg: float = 1.0,
) -> str:
    """One sentence: what is wrong and what to do.

    `dtype` is what the step computed in, `attention` names what took the place of ComfyUI's attention, `lora_change` is
    how much LoRAs change the weights, as a share of them; `has_broken_weight` is said of the layer that broke first.
    """
    if has_broken_latent:
        return "the latent was broken before the model ran. Look at the sampler or the node that the latent comes from."
    if has_broken_prompt:
        return (
            "the prompt's conditioning is broken. Start ComfyUI without --fp16-text-enc, or load another file of the "
            "text encoder."
        )
    first = trials[Form.SAME].trace.first_from()
    if has_broken_weight and lora_change:
        return (
            "LoRAs make the weights of this layer infinite. Take them off one by one, or lower their strength in "
            "Z-Image LoRA List."
        )
    if has_broken_weight:
        return "the weights of this layer are no numbers. The model's file is damaged: download it again."
    if trials[Form.SAME].is_finite:
        return (
            "run again as it was, the step is right. Take step caches, CUDA graphs and compiling off, one after the "
            "other."
        )
    if _is_finite(trials, Form.PLAIN_ATTENTION):
        return (
            f"the attention here ({attention or 'as ComfyUI was started'}) gives NaN, and plain attention does not. "
            "Set attention to ComfyUI's in Z-Image Optimize, or start ComfyUI without --use-sage-attention."
        )
    if first is None:
        return (
            f"the model's numbers are right, and what follows it (guidance at CFG {cfg:g}, or a node that changes the "
            "prediction) spoils them. Lower CFG to 3 to 5 for base, 1 for Turbo, and take such nodes off."
        )
    if problem := lora_problem(lora_change):
        return problem
    if _is_finite(trials, Form.FLOAT32):
        largest = trials[Form.FLOAT32].trace.largest_in(first.layer)
        name = str(dtype).removeprefix("torch.")
        return (
            f"its numbers reach {largest:.3g}, and {name} holds no more than {torch.finfo(dtype).max:.3g}. Set "
            "precision to bfloat16 or float32 in Z-Image Load Model, or start ComfyUI with --bf16-unet."
        )
    return (
        "not even float32 with plain attention gives numbers. Take off LoRAs, ControlNets and other model patches one "
        "by one; if none is there, the model's file is damaged."
    )


def overflow_note(first: Size, n_steps: int) -> str:
    """One sentence on numbers that float16 could not hold and that were clamped to its limit in so many steps."""
    return (
        f"In {first.layer} ({first.part}) numbers passed what float16 holds (65504) and were clamped, in {n_steps} "
        "steps: the picture is not the model's. Set precision to bfloat16 or float32 in Z-Image Load Model, or start "
        "ComfyUI with --bf16-unet."
    )


def _is_finite(trials: dict[Form, Trial], form: Form) -> bool:
    return form in trials and trials[form].is_finite
