"""The extension object of the pack: all nodes, and what is registered besides them."""

import importlib
import logging

from comfy_api.latest import ComfyExtension, io

from .cached_reports import with_cached_reports
from .finite import with_finite_numbers
from .plain_errors import with_plain_errors

LOGGER = logging.getLogger("zimage")
GROUPS = (
    *("loaders", "lora", "attach", "conditioning", "editing", "latent", "sampling", "image", "inspect", "inpaint"),
    *("detail", "lora_test", "region", "tiled_refine", "large_picture", "style_reference"),
    *("score", "caption", "caption_folder", "evaluate", "arena", "pick_best", "compare_models", "drawn_picture"),
    *(
        "profile_folder",
        "duplicates",
        "search_pictures",
        "curate",
        "concept_map",
        "datasets",
        "training",
        "distill",
        "preference",
        "prefer",
        "merging",
        "merge_search",
    ),
    *("control", "speed", "doctor", "optimize", "prompt", "enhance", "diversity", "lora_list", "nag", "drawn_sigmas"),
    "grid",
)
REMEDY = "this pack needs ComfyUI 0.16 or newer"


class ZImageExtension(ComfyExtension):
    """The object that `comfy_entrypoint` returns."""

    async def on_load(self) -> None:
        """Register routes, metadata and former ids, and remove leftovers; nodes work without any of them."""
        try:
            importlib.import_module(".bridge.loading.host", __package__).warn_if_untested()
            importlib.import_module(".bridge.page.routes", __package__).register()
            importlib.import_module(".bridge.loading.files", __package__).remove_leftovers()
            await importlib.import_module(".migration", __package__).register()
        except Exception as error:  # noqa: BLE001 - on any error here ComfyUI would drop all nodes
            LOGGER.error("Z-Image: the browser is told less because %s; %s", error, REMEDY)

    async def get_node_list(self) -> list[type[io.ComfyNode]]:
        """All nodes of all groups, except groups that fail to import or are not supported by this ComfyUI."""
        nodes: list[type[io.ComfyNode]] = []
        for group in GROUPS:
            try:
                nodes += validated(importlib.import_module(f".{group}", __package__).NODES)
            except Exception as error:  # noqa: BLE001, PERF203 - as above; a few groups, once
                LOGGER.error("Z-Image: the %s nodes are missing because %s; %s", group, error, REMEDY)
        return nodes


def validated(nodes: list[type[io.ComfyNode]]) -> list[type[io.ComfyNode]]:
    """The nodes, which refuse NaN, raise plain errors and report from the cache.

    Before that each schema is built, since a group of nodes that this ComfyUI cannot build is left out as a whole.
    """
    for node in nodes:
        node.define_schema()
    return [with_cached_reports(with_plain_errors(with_finite_numbers(node))) for node in nodes]
