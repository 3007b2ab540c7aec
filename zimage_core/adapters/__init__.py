"""Adapters for the diffusion model: LoRAs injected into its weights, and ControlNets run beside its blocks."""

from .control import Control, ControlNet, SigmaRange, control_context, controlled_flow
from .deltas import (
    Additive,
    Delta,
    DoRA,
    FullDifference,
    LoHa,
    LoKr,
    LowRank,
    SetWeight,
    tensors_of,
    with_tensors,
)
from .inject import (
    Injection,
    ScaledDelta,
    deltas_by_parameter,
    inject,
    injected,
    is_quantized,
    merged_weight,
    parameter_shapes,
)
from .lora import N_PARTS, AdapterError, Lora, LoraReport, Target

__all__ = [
    "N_PARTS",
    "AdapterError",
    "Additive",
    "Control",
    "ControlNet",
    "Delta",
    "DoRA",
    "FullDifference",
    "Injection",
    "LoHa",
    "LoKr",
    "Lora",
    "LoraReport",
    "LowRank",
    "ScaledDelta",
    "SetWeight",
    "SigmaRange",
    "Target",
    "control_context",
    "controlled_flow",
    "deltas_by_parameter",
    "inject",
    "injected",
    "is_quantized",
    "merged_weight",
    "parameter_shapes",
    "tensors_of",
    "with_tensors",
]
