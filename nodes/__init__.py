"""The nodes, gathered for ComfyUI."""

import importlib
import logging

from comfy_api.latest import ComfyExtension, io

LOGGER = logging.getLogger("zimage")
GROUPS = (
    *("loaders", "lora", "attach", "conditioning", "editing", "latent", "sampling", "image", "inspect", "inpaint"),
    *("control", "speed", "optimize"),
)


class ZImageExtension(ComfyExtension):
    """What `comfy_entrypoint` returns."""

    async def on_load(self) -> None:
        """What the browser may ask, and facts for saved pictures; nodes work without either."""
        try:
            importlib.import_module(".bridge.routes", __package__).register()
        except ImportError as error:
            LOGGER.error("Z-Image: the browser gets no token counts because %s; update ComfyUI to 0.16 or newer", error)

    async def get_node_list(self) -> list[type[io.ComfyNode]]:
        """All nodes of all groups; a group that cannot be imported costs its own nodes only."""
        nodes: list[type[io.ComfyNode]] = []
        for group in GROUPS:
            try:
                nodes += importlib.import_module(f".{group}", __package__).NODES
            except ImportError as error:  # noqa: PERF203 - a few groups, once
                LOGGER.error(
                    "Z-Image: the %s nodes are missing because %s; update ComfyUI to 0.16 or newer",
                    group,
                    error,
                )
        return nodes
