"""Tells the page how a picture was fitted to the latent, which only the sampler's run knows, not the picture's node."""

from . import page_events

KIND = "zimage.fitted"  # as in js/zimage/runs/fitted.mjs

Size = tuple[int, int]  # height, width


def tell(node_id: str | None, picture: Size, latent: Size) -> None:
    """Send the sizes in pixels of a node's picture and of the latent to the page that queued the run."""
    if node_id is not None:  # called by ComfyUI's executor
        page_events.send(KIND, {"node": node_id, "picture": picture[::-1], "latent": latent[::-1]})
