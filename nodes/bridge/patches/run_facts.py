"""What a MODEL was made to do in a run, gathered only once something has gone wrong: LoRAs, attention, settings."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import comfy.lora
import comfy.utils
import torch
from comfy.ldm.modules import attention
from torch import Tensor

from ....zimage_core.adapters import is_quantized
from ....zimage_core.diagnosis import LatentStatistics, RunFacts, latent_statistics, result_problem
from ..network.attach import DIFFUSION_MODEL
from ..network.blocks import ATTENTION_NAME, ATTENTION_OVERRIDE, Options

MOST_WEIGHTS = 12  # looked at of those that LoRAs change, evenly spread
CHANGES: dict[Any, float] = {}  # the last one measured, by the id of its patches
WHOLE = 0.99  # of the noise: a run that begins above it draws from noise alone
EXACT = {"attention_pytorch", "attention_basic", "attention_split", "attention_sub_quad"}


def settings_facts(cfg: float, sigmas: Tensor) -> RunFacts:
    """What a run's settings say: nothing is measured."""
    return RunFacts(cfg=float(cfg), steps=len(sigmas) - 1, shift=shift_of(sigmas.tolist()))


def result_note(model: Any, options: Options, found: Sequence[LatentStatistics], facts: RunFacts) -> str:
    """A sentence on the first of a run's pictures that is none, with the cause; LoRAs are measured only for that."""
    if not any(each.is_broken for each in found):
        return ""
    known = replace(facts, lora_change=lora_change(model), attention=attention_name(options))
    return next(filter(None, (result_problem(each, known) for each in found)), "")


def statistics_of(model: Any, latents: Tensor) -> list[LatentStatistics]:
    """Of raw latents (b, 16, h, w), as a MODEL's network sees them."""
    form = model.model.latent_format
    return latent_statistics(latents, getattr(form, "scale_factor", 1.0), getattr(form, "shift_factor", 0.0))


def shift_of(sigmas: list[float]) -> float | None:
    """The shift of a whole schedule, read off its middle; None for a part of one, or too few steps to tell."""
    steps = len(sigmas) - 1
    if steps < 4 or sigmas[0] < WHOLE or sigmas[-1] > 0:
        return None
    middle = steps // 2
    u, sigma = 1 - middle / steps, sigmas[middle]
    return sigma * (1 - u) / (u * (1 - sigma)) if 0 < sigma < 1 else None


def attention_name(options: Options) -> str:
    """What takes the place of PyTorch's attention; empty if nothing does."""
    override = options.get(ATTENTION_OVERRIDE)
    if override is not None:
        module = getattr(override, "__module__", "") or type(override).__module__
        return getattr(override, ATTENTION_NAME, "") or f"of {module.rpartition('.')[2]}"
    name = attention.optimized_attention.__name__
    return "" if name in EXACT else name.removeprefix("attention_")


def lora_change(model: Any) -> float:
    """By how much weight patches change the weights they act on, as a share of those weights' norm.

    It is measured once for a MODEL's patches, whose id ComfyUI renews with every change.
    """
    if model.patches_uuid not in CHANGES:
        CHANGES.clear()
        CHANGES[model.patches_uuid] = _measured_change(model)
    return CHANGES[model.patches_uuid]


def _measured_change(model: Any) -> float:
    keys = sorted(key for key in model.patches if key.startswith(f"{DIFFUSION_MODEL}."))
    changed = [_change(model, key) for key in keys[:: -(-len(keys) // MOST_WEIGHTS) or 1]]
    whole = sum(norm**2 for _, norm in changed) ** 0.5
    return sum(change**2 for change, _ in changed) ** 0.5 / whole if whole else 0.0


def _change(model: Any, key: str) -> tuple[float, float]:
    """Norms of what patches add to a weight, and of the weight; none of either for a packed one."""
    owner, _, name = key.rpartition(".")
    if is_quantized(comfy.utils.get_attr(model.model, owner), name):
        return 0.0, 0.0
    backup = model.backup.get(key)
    weight = comfy.utils.get_attr(model.model, key) if backup is None else backup.weight
    weight = weight.detach().to("cpu", torch.float32)
    patched = comfy.lora.calculate_weight(model.patches[key], weight.clone(), key)
    return float((patched - weight).norm()), float(weight.norm())
