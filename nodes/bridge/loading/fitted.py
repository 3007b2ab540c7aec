"""Tells the page how a picture was fitted to the latent, which only the sampler's run knows, not the picture's node."""

from typing import Any

KIND = "zimage.fitted"  # as in js/zimage/runs/fitted.mjs

Size = tuple[int, int]  # height, width


def tell(node_id: str | None, picture: Size, latent: Size) -> None:
    """Send the sizes in pixels of a node's picture and of the latent to the page that queued the run."""
    from server import PromptServer

    server: Any = getattr(PromptServer, "instance", None)
    if server is None or node_id is None:  # imported without a server, or called without its executor
        return
    sizes = {"picture": picture[::-1], "latent": latent[::-1]}
    server.send_sync(KIND, {"node": node_id, **sizes}, server.client_id)
