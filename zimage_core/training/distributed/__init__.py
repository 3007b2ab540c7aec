"""One run in several processes, one per device: shares of each step, sharded weights, sharded state."""

from .launched import launched
from .processes import ONE_PROCESS, Processes
from .shared_rows import ALL_ROWS, SharedRows

__all__ = ["ALL_ROWS", "ONE_PROCESS", "Processes", "SharedRows", "launched"]
