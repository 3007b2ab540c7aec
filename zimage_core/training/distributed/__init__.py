"""One run in several processes, one per device: shares of each step, sharded weights, sharded state."""

from .launched import launched
from .processes import ONE_PROCESS, Processes

__all__ = ["ONE_PROCESS", "Processes", "launched"]
