"""Fun ControlNets: their blocks, what they look at, and the hints they give a model."""

from .context import control_context
from .hints import Control, Span, controlled_flow
from .network import ControlNet

__all__ = ["Control", "ControlNet", "Span", "control_context", "controlled_flow"]
