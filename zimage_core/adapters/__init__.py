"""Adapters: what they change, put into a network and taken out again."""

from .changes import Full, LowRank, Replacement
from .control import ControlNet
from .control_context import control_context
from .control_run import Control, Span, controlled_flow
from .deltas import Additive, Decomposed, Delta
from .inject import Change, Injection, changed_weight, collect, inject, injected, is_quantised, parameter_shapes
from .lora import AdapterError, Lora, Report, Target
from .lycoris import Hadamard, Kronecker

__all__ = [
    "AdapterError",
    "Additive",
    "Change",
    "Control",
    "ControlNet",
    "Decomposed",
    "Delta",
    "Full",
    "Hadamard",
    "Injection",
    "Kronecker",
    "Lora",
    "LowRank",
    "Replacement",
    "Report",
    "Span",
    "Target",
    "changed_weight",
    "collect",
    "control_context",
    "controlled_flow",
    "inject",
    "injected",
    "is_quantised",
    "parameter_shapes",
]
