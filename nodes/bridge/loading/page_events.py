"""Events for the page that queued the run."""

from collections.abc import Mapping
from typing import Any


def send(kind: str, data: Mapping[str, Any]) -> None:
    """Send an event; nothing where a graph runs without ComfyUI's server."""
    from server import PromptServer  # a graph built without a server has none to import

    server: Any = getattr(PromptServer, "instance", None)
    if server is not None:
        server.send_sync(kind, dict(data), server.client_id)
