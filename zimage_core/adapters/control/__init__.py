"""Fun ControlNets: their networks and input channels, and the model's velocity field with them."""

from .context import control_context
from .control import Control, SigmaRange
from .flow import controlled_flow
from .network import ControlNet

__all__ = ["Control", "ControlNet", "SigmaRange", "control_context", "controlled_flow"]
