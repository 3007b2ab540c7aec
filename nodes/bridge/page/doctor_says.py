"""What Z-Image Doctor found, sent to the page, which shows it under the node in its own language."""

from collections.abc import Callable
from functools import partial
from typing import Any

EVENT = "zimage_doctor"  # js/zimage/runs/doctor.mjs waits for it


def teller(node_id: str) -> Callable[[str], None]:
    """A function that shows a text under a node until the next run; an empty one clears it."""
    return partial(_send, node_id)


def _send(node_id: str, text: str) -> None:
    from server import PromptServer  # a graph built without a server has none to import

    server: Any = getattr(PromptServer, "instance", None)
    if server is not None:
        server.send_sync(EVENT, {"node": node_id, "text": text}, server.client_id)
