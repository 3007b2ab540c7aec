"""ComfyUI's page in a browser driven by playwright: wait until it is ready, change settings, load a node graph."""

from collections.abc import Mapping
from typing import Any

from .comfyui import Server

# The page loads a default graph by itself and restores its tabs; both would replace a graph that is loaded too early.
READY = (
    "window.app?.graph?.nodes?.length && window.app.canvas && window.app.extensionManager?.workflow?.activeWorkflow"
    " && !window.app.extensionManager.spinner"
)


def skip_tutorial(server: Server) -> None:
    """Without this a new user's page shows the template browser and an empty graph."""
    server.post("/settings", {"Comfy.TutorialCompleted": True})


def open_page(page: Any, url: str) -> None:
    """Go to the address and wait until the page has loaded its default graph."""
    page.goto(url)
    page.wait_for_function(READY, timeout=300_000)
    page.wait_for_function("document.querySelector('#graph-canvas')")


def change_setting(page: Any, setting: str, value: Any) -> None:
    """Set one of the page's settings, by its id."""
    page.evaluate("([id, value]) => app.extensionManager.setting.set(id, value)", [setting, value])


def load_workflow(page: Any, workflow: Mapping[str, Any]) -> None:
    """Load a workflow file's content as the menu does."""
    page.evaluate("async (graph) => { await app.loadGraphData(graph, true, true) }", workflow)
