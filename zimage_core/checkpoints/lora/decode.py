"""Decodes the tensors of one module in a LoRA file, and alphas in its metadata, into weight deltas."""

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from ...adapters import (
    BOFT,
    OFT,
    Delta,
    DoRA,
    FullDifference,
    GLoRA,
    LoHa,
    LoKr,
    LowRank,
    SetWeight,
    glora_of_file,
)
from ..formats.errors import CheckpointError
from ..formats.json_object import parse_json

RoleTensors = Mapping[str, Tensor]  # a module's tensors by role ("up", "alpha", …), as `keys.split_ending` names them
Directional = LowRank | LoHa | LoKr  # deltas that a DoRA can scale
Scalable = Directional | GLoRA  # deltas with an alpha

PEFT_SETTINGS = "lora_adapter_metadata"  # diffusers, loaders/lora_base.py
PEFT_PREFIX = "transformer."
MAX_ALPHA = 1e30  # JSON integers are unbounded and may not fit a float


def weight_delta(stored: RoleTensors, alpha_of: Callable[[int], float | None]) -> Delta | None:
    """The delta of a module's weight, or None where the file has none.

    `alpha_of` returns the alpha for a rank where the file has no alpha tensor. Raises `ValueError` for missing tensors,
    shapes that do not match and values that are not floats.
    """
    tensors = {role: _normalized(tensor) for role, tensor in stored.items()}
    kinds = [kind for kind, roles in ROLES.items() if not roles.isdisjoint(tensors)]
    if len(kinds) > 1:
        raise ValueError(f"it holds a {' and a '.join(kinds)} at once")
    if not kinds:
        return None
    delta = DECODERS[kinds[0]](tensors)
    if "magnitude" in tensors and not isinstance(delta, Directional):
        raise ValueError(f"its DoRA lengths belong to a LoRA, LoHa or LoKr, and it holds {delta.kind}")
    if not isinstance(delta, Scalable):
        return delta
    scaled = replace(delta, alpha=_number(tensors["alpha"]) if "alpha" in tensors else alpha_of(delta.rank or 1))
    if "magnitude" in tensors and isinstance(scaled, Directional):
        return DoRA(direction=scaled, magnitude=_column(tensors["magnitude"]))
    return scaled


def bias_delta(stored: RoleTensors) -> FullDifference | None:
    """The delta of a module's bias, or None where the file has none."""
    return FullDifference(diff=_normalized(stored["diff_b"])) if "diff_b" in stored else None


def alphas_of(metadata: Mapping[str, str]) -> Callable[[str, int], float | None]:
    """A function from a module's name and rank to its alpha in PEFT's metadata, or None where there is none.

    The delta's scale is alpha / rank in every case.
    """
    if PEFT_SETTINGS not in metadata:
        return lambda module, rank: None
    config = parse_json(metadata[PEFT_SETTINGS].encode(), f"the LoRA's {PEFT_SETTINGS} is damaged")
    settings: dict[str, Any] = {name.removeprefix(PEFT_PREFIX): value for name, value in config.items()}
    default: Any = settings.get("lora_alpha")
    patterns: Any = settings.get("alpha_pattern") or {}
    numbers = [default, *patterns.values()] if isinstance(patterns, dict) else [patterns]
    if not all(type(number) in (int, float) and abs(number) < MAX_ALPHA for number in numbers):
        raise CheckpointError(
            f"the LoRA's {PEFT_SETTINGS} is damaged (lora_alpha is {ascii(default)[:40]}); download it again"
        )

    def alpha(module: str, rank: int) -> float:
        value = next((value for name, value in patterns.items() if _ends_with(module, name)), default)
        # rank-stabilized LoRA divides by the root of the rank (PEFT, lora/layer.py)
        return float(value) * (math.sqrt(rank) if settings.get("use_rslora") else 1.0)

    return alpha


def _low_rank(tensors: RoleTensors) -> LowRank:
    return LowRank(up=_required(tensors, "up"), down=_required(tensors, "down"))


def _loha(tensors: RoleTensors) -> LoHa:
    w1_a, w1_b, w2_a, w2_b = (_required(tensors, f"hada_{name}") for name in ("w1_a", "w1_b", "w2_a", "w2_b"))
    return LoHa(w1_a=w1_a, w1_b=w1_b, w2_a=w2_a, w2_b=w2_b)


def _lokr(tensors: RoleTensors) -> LoKr:
    return LoKr(w1=_factor(tensors, "lokr_w1"), w2=_factor(tensors, "lokr_w2"))


def _rotation(tensors: RoleTensors) -> OFT | BOFT:
    """OFT or BOFT, told apart by the axes of their blocks. Their `alpha` is a constraint, of which 0 means none."""
    blocks, constraint = _required(tensors, "oft_blocks"), _number(tensors["alpha"]) if "alpha" in tensors else None
    kind = BOFT if blocks.ndim == 4 else OFT
    return kind(blocks=blocks, constraint=constraint, rescale=tensors.get("rescale"))


def _glora(tensors: RoleTensors) -> GLoRA:
    return glora_of_file(*(_required(tensors, name) for name in ("a1", "a2", "b1", "b2")))


def _factor(tensors: RoleTensors, role: str) -> tuple[Tensor, ...]:
    """A LoKr factor: one full matrix, or the two matrices whose product it is."""
    return (tensors[role],) if role in tensors else (_required(tensors, f"{role}_a"), _required(tensors, f"{role}_b"))


def _required(tensors: RoleTensors, role: str) -> Tensor:
    if role not in tensors:
        raise ValueError(f"its {role} is missing, only {', '.join(sorted(tensors))} is there")
    return tensors[role]


def _normalized(tensor: Tensor) -> Tensor:
    """A float tensor of at least 16 bits (8-bit floats are widened, which is exact); 1x1 convolutions as matrices."""
    if not tensor.is_floating_point():
        if tensor.numel() != 1:  # an alpha may be an integer
            raise ValueError(f"it holds {str(tensor.dtype).removeprefix('torch.')}, not fractions")
        tensor = tensor.float()
    wide = tensor.to(torch.bfloat16) if tensor.dtype.itemsize < 2 else tensor
    return wide.flatten(1) if wide.ndim > 2 and wide.shape[2:].numel() == 1 else wide


def _column(magnitude: Tensor) -> Tensor:
    """DoRA's magnitudes (o,) of PEFT as (o, 1)."""
    return magnitude[:, None] if magnitude.ndim == 1 else magnitude


def _number(alpha: Tensor) -> float:
    if alpha.numel() != 1 or not torch.isfinite(alpha.float()).all():
        raise ValueError(f"its alpha is not a number but {alpha.flatten()[:3].tolist()}")
    return float(alpha)


def _ends_with(module: str, name: str) -> bool:
    """Whether a module's dotted path ends with `name`, as PEFT matches the keys of `alpha_pattern`."""
    return f".{module}".endswith("." + name.removeprefix("^"))


ROLES: Mapping[str, frozenset[str]] = {  # which tensors show which kind of delta
    "LoRA": frozenset({"up", "down"}),
    "LoHa": frozenset({f"hada_{name}" for name in ("w1_a", "w1_b", "w2_a", "w2_b")}),
    "LoKr": frozenset({f"lokr_{name}" for name in ("w1", "w1_a", "w1_b", "w2", "w2_a", "w2_b")}),
    "OFT": frozenset({"oft_blocks", "rescale"}),
    "GLoRA": frozenset({"a1", "a2", "b1", "b2"}),
    "full difference": frozenset({"diff"}),
    "new value": frozenset({"set_weight"}),
}
DECODERS: Mapping[str, Callable[[RoleTensors], Delta]] = {
    "LoRA": _low_rank,
    "LoHa": _loha,
    "LoKr": _lokr,
    "OFT": _rotation,
    "GLoRA": _glora,
    "full difference": lambda tensors: FullDifference(diff=tensors["diff"]),
    "new value": lambda tensors: SetWeight(value=tensors["set_weight"]),
}
