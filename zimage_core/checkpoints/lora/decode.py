"""From the tensors of one module in a LoRA file, and what its metadata tells, to the change they describe."""

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from ...adapters import Decomposed, Delta, Full, Hadamard, Kronecker, LowRank, Replacement
from ..formats.safetensors_header import CheckpointError, parse_json

Tensors = Mapping[str, Tensor]  # by role, as `lora_keys.split_ending` names them
Scaled = LowRank | Hadamard | Kronecker

PEFT_SETTINGS = "lora_adapter_metadata"  # diffusers, loaders/lora_base.py
PEFT_PREFIX = "transformer."
LARGEST = 1e30  # no alpha is larger; JSON's whole numbers have no end


def weight_delta(found: Tensors, alpha_of: Callable[[int], float | None]) -> Delta | None:
    """The change to a module's weight, or None where the file has none.

    `alpha_of` tells the alpha of a rank, where no tensor does. Raises `ValueError` for tensors that make no sense.
    """
    told = {role: _values(tensor) for role, tensor in found.items()}
    kinds = [kind for kind, roles in ROLES.items() if not roles.isdisjoint(told)]
    if len(kinds) > 1:
        raise ValueError(f"it holds a {' and a '.join(kinds)} at once")
    if not kinds:
        return None
    delta = FORMS[kinds[0]](told)
    if not isinstance(delta, Scaled):
        return delta
    scaled = replace(delta, alpha=_number(told["alpha"]) if "alpha" in told else alpha_of(delta.rank or 1))
    return Decomposed(direction=scaled, magnitude=_column(told["magnitude"])) if "magnitude" in told else scaled


def bias_delta(found: Tensors) -> Full | None:
    """The change to a module's bias, or None."""
    return Full(diff=_values(found["diff_b"])) if "diff_b" in found else None


def alphas_of(metadata: Mapping[str, str]) -> Callable[[str, int], float | None]:
    """The alpha of a module by its name and rank, where metadata tells one; scale is alpha / rank everywhere."""
    if PEFT_SETTINGS not in metadata:
        return lambda module, rank: None
    config = parse_json(metadata[PEFT_SETTINGS].encode(), f"the LoRA's {PEFT_SETTINGS} is damaged")
    settings: dict[str, Any] = {name.removeprefix(PEFT_PREFIX): value for name, value in config.items()}
    default: Any = settings.get("lora_alpha")
    patterns: Any = settings.get("alpha_pattern") or {}
    numbers = [default, *patterns.values()] if isinstance(patterns, dict) else [patterns]
    if not all(type(number) in (int, float) and abs(number) < LARGEST for number in numbers):
        raise CheckpointError(
            f"the LoRA's {PEFT_SETTINGS} is damaged (lora_alpha is {ascii(default)[:40]}); download it again"
        )

    def alpha(module: str, rank: int) -> float:
        told = next((value for name, value in patterns.items() if _ends_with(module, name)), default)
        # rank-stabilised LoRA divides by the root of the rank (PEFT, lora/layer.py)
        return float(told) * (math.sqrt(rank) if settings.get("use_rslora") else 1.0)

    return alpha


def _low_rank(told: Tensors) -> LowRank:
    return LowRank(up=_needed(told, "up"), down=_needed(told, "down"))


def _hadamard(told: Tensors) -> Hadamard:
    w1_a, w1_b, w2_a, w2_b = (_needed(told, f"hada_{name}") for name in ("w1_a", "w1_b", "w2_a", "w2_b"))
    return Hadamard(w1_a=w1_a, w1_b=w1_b, w2_a=w2_a, w2_b=w2_b)


def _kronecker(told: Tensors) -> Kronecker:
    return Kronecker(w1=_factor(told, "lokr_w1"), w2=_factor(told, "lokr_w2"))


def _factor(told: Tensors, role: str) -> tuple[Tensor, ...]:
    return (told[role],) if role in told else (_needed(told, f"{role}_a"), _needed(told, f"{role}_b"))


def _needed(told: Tensors, role: str) -> Tensor:
    if role not in told:
        raise ValueError(f"its {role} is missing, only {', '.join(sorted(told))} is there")
    return told[role]


def _values(tensor: Tensor) -> Tensor:
    """A tensor as changes take it: 8-bit floats widened, which is exact, and 1x1 convolutions as matrices."""
    if not tensor.is_floating_point():
        if tensor.numel() != 1:  # alphas may be whole numbers
            raise ValueError(f"it holds {str(tensor.dtype).removeprefix('torch.')}, not fractions")
        tensor = tensor.float()
    wide = tensor.to(torch.bfloat16) if tensor.dtype.itemsize < 2 else tensor
    return wide.flatten(1) if wide.ndim > 2 and wide.shape[2:].numel() == 1 else wide


def _column(magnitude: Tensor) -> Tensor:
    """PEFT keeps DoRA's row lengths without a second axis."""
    return magnitude[:, None] if magnitude.ndim == 1 else magnitude


def _number(alpha: Tensor) -> float:
    if alpha.numel() != 1 or not torch.isfinite(alpha.float()).all():
        raise ValueError(f"its alpha is not a number but {alpha.flatten()[:3].tolist()}")
    return float(alpha)


def _ends_with(module: str, name: str) -> bool:
    """PEFT's patterns name the end of a module's path, from a dot on."""
    return f".{module}".endswith("." + name.removeprefix("^"))


ROLES: Mapping[str, frozenset[str]] = {
    "LoRA": frozenset({"up", "down"}),
    "LoHa": frozenset({f"hada_{name}" for name in ("w1_a", "w1_b", "w2_a", "w2_b")}),
    "LoKr": frozenset({f"lokr_{name}" for name in ("w1", "w1_a", "w1_b", "w2", "w2_a", "w2_b")}),
    "full difference": frozenset({"diff"}),
    "new value": frozenset({"set_weight"}),
}
FORMS: Mapping[str, Callable[[Tensors], Delta]] = {
    "LoRA": _low_rank,
    "LoHa": _hadamard,
    "LoKr": _kronecker,
    "full difference": lambda told: Full(diff=told["diff"]),
    "new value": lambda told: Replacement(value=told["set_weight"]),
}
