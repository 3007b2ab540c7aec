"""Adapters: what they change, put into a network and taken out again."""

from .control.context import control_context
from .control.hints import Control, Span, controlled_flow
from .control.network import ControlNet
from .deltas.dora import Additive, Decomposed, Delta
from .deltas.lycoris import Hadamard, Kronecker
from .deltas.plain import Full, LowRank, Replacement
from .inject import Change, Injection, changed_weight, collect, inject, injected, is_quantised, parameter_shapes
from .lora import AdapterError, Lora, Report, Target

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
