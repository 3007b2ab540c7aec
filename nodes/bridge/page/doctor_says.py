"""What Z-Image Doctor found, sent to the page, which shows it under the node in its own language."""

from collections.abc import Callable
from functools import partial

from ..loading import page_events

EVENT = "zimage_doctor"  # js/zimage/runs/doctor.mjs waits for it


def teller(node_id: str) -> Callable[[str], None]:
    """A function that shows a text under a node until the next run; an empty one clears it."""
    return partial(_send, node_id)


def _send(node_id: str, text: str) -> None:
    page_events.send(EVENT, {"node": node_id, "text": text})
