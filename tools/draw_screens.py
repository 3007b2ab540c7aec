"""Draw the README's pictures of graphs: the real page, after the graph has run, cropped to the graph."""

import argparse
import json
import shutil
import tempfile
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image

from comfyui import REPOSITORY, running

SCREENS = {"graph-en": ("Z-Image Nano - text to image", "en"), "graph-zh": ("Z-Image Nano - edit", "zh")}
WIDTH, HEIGHT = 2000, 1125
MARGIN = 24  # pixels of canvas around the graph
WIDEST = 1400
READY = "window.app?.graph && window.app.canvas && window.app.extensionManager?.workflow?.activeWorkflow"
FIT = """(margin) => {  // the whole graph into the window; where it then is
    const { nodes } = app.graph, view = app.canvas.ds;
    const left = Math.min(...nodes.map((node) => node.pos[0])) - margin;
    const top = Math.min(...nodes.map((node) => node.pos[1] - 30)) - margin;
    const width = Math.max(...nodes.map((node) => node.pos[0] + node.size[0])) + margin - left;
    const height = Math.max(...nodes.map((node) => node.pos[1] + node.size[1])) + margin - top;
    view.scale = Math.min(1, (innerWidth - 80) / width, (innerHeight - 190) / height);
    view.offset = [60 / view.scale - left, 90 / view.scale - top];
    app.canvas.setDirty(true, true);
    return { x: 60, y: 90, width: width * view.scale, height: height * view.scale };
}"""
QUIET = {"Comfy.VueNodes.Enabled": True, "Comfy.Minimap.Visible": False, "Comfy.Graph.CanvasInfo": False}
BARE = """() => {  // menus float over the canvas
    for (const each of document.querySelectorAll("body *"))
        if (getComputedStyle(each).position === "fixed") each.style.visibility = "hidden";
}"""


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--to", type=Path, default=REPOSITORY / "docs")
    arguments = parser.parse_args()
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory() as scratch, sync_playwright() as playwright:
        base = Path(scratch)
        with running(base, base / "output") as server:
            browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
            for name, (workflow, language) in SCREENS.items():
                page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
                save(shot(page, server.url, workflow, language), arguments.to / f"{name}.webp")


def shot(page: Any, url: str, workflow: str, language: str) -> Image.Image:
    """The graph as the page shows it once its picture is there."""
    for _ in range(2):  # names of nodes follow the language when the page opens again
        page.goto(url)
        page.wait_for_function(READY, timeout=120_000)
        for setting in {**QUIET, "Comfy.Locale": language}.items():
            page.evaluate("([id, value]) => app.extensionManager.setting.set(id, value)", list(setting))
    page.keyboard.press("Escape")
    graph = json.loads((REPOSITORY / "workflows" / f"{workflow}.json").read_text("utf-8"))
    page.evaluate("async (graph) => { await app.loadGraphData(graph, true, true) }", graph)
    page.evaluate("async () => { await app.queuePrompt(0, 1) }")
    page.wait_for_timeout(15_000)
    box = page.evaluate(FIT, MARGIN)
    page.wait_for_timeout(2_000)
    page.evaluate(BARE)
    return Image.open(BytesIO(page.screenshot(clip=box)))


def save(picture: Image.Image, path: Path) -> None:
    """Small enough for a README."""
    picture.thumbnail((WIDEST, WIDEST))
    picture.convert("RGB").save(path, quality=82, method=6)
    print(f"{path}: {path.stat().st_size / 1000:.0f} kB, {picture.width}x{picture.height}")


if __name__ == "__main__":
    main()
