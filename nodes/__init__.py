"""The nodes, gathered for ComfyUI."""

import importlib
import logging

from comfy_api.latest import ComfyExtension, io

LOGGER = logging.getLogger("zimage")
GROUPS = (
    *("loaders", "lora", "attach", "conditioning", "editing", "latent", "sampling", "image", "inspect", "inpaint"),
    *("control", "speed", "optimize"),
)
REMEDY = "this pack needs ComfyUI 0.16 or newer"


class ZImageExtension(ComfyExtension):
    """What `comfy_entrypoint` returns."""

    async def on_load(self) -> None:
        """What the browser may ask, facts for saved pictures, ids of before; nodes work without any of them."""
        try:
            importlib.import_module(".bridge.page.routes", __package__).register()
            await importlib.import_module(".migration", __package__).register()
        except Exception as error:  # noqa: BLE001 - whatever it is, ComfyUI would drop every node for it
            LOGGER.error("Z-Image: the browser is told less because %s; %s", error, REMEDY)

    async def get_node_list(self) -> list[type[io.ComfyNode]]:
        """All nodes of all groups; a group that is broken, or new to this ComfyUI, costs its own nodes only."""
        nodes: list[type[io.ComfyNode]] = []
        for group in GROUPS:
            try:
                nodes += described(importlib.import_module(f".{group}", __package__).NODES)
            except Exception as error:  # noqa: BLE001, PERF203 - as above; a few groups, once
                LOGGER.error("Z-Image: the %s nodes are missing because %s; %s", group, error, REMEDY)
        return nodes


def described(nodes: list[type[io.ComfyNode]]) -> list[type[io.ComfyNode]]:
    """The nodes, each of which can say what it is in this ComfyUI's words."""
    for node in nodes:
        node.define_schema()
    return nodes
