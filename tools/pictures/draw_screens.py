"""`make screens`: takes the screenshots of node graphs in README and docs, on the real page, after they have run."""

import argparse
import json
import shutil
import tempfile
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image

from ..comfyui import REPOSITORY, running_server
from ..page import change_setting, load_workflow, open_page, skip_tutorial

SCREENS = {  # by file: which workflow, in which language, and which nodes; all where none is named
    "docs/graph-en": ("Z-Image Nano - text to image", "en", []),
    "docs/graph-zh": ("Z-Image Nano - edit", "zh", []),
    "docs/curating": (
        "Z-Image Nano - from a messy folder to a LoRA",
        "en",
        ["ZImageProfileFolder", "ZImageFindDuplicates"],
    ),
    "docs/searching": ("Z-Image Nano - search a folder", "en", ["ZImageSearchPictures", "ZImageConceptMap"]),
    "docs/curation": ("Z-Image Nano - two rounds of curation", "en", ["ZImageCurate"]),
    "docs/captions": ("Z-Image Nano - caption a folder", "en", ["ZImageCaptionFolder"]),
}
WIDTH, HEIGHT = 2000, 1125
MARGIN = 24  # pixels of canvas around the graph
WIDEST = 1400
FIT_TO_WINDOW = """([margin, kinds]) => {  // zooms to the graph, or to nodes of these kinds; returns the rectangle
    const nodes = app.graph.nodes.filter(({ type }) => !kinds.length || kinds.includes(type));
    const groups = kinds.length ? [] : app.graph.groups, view = app.canvas.ds;
    const boxes = [
        ...nodes.map(({ pos, size }) => [pos[0], pos[1] - 30, pos[0] + size[0], pos[1] + size[1]]),
        ...groups.map(({ pos, size }) => [pos[0], pos[1], pos[0] + size[0], pos[1] + size[1]]),
    ];
    const left = Math.min(...boxes.map((box) => box[0])) - margin;
    const top = Math.min(...boxes.map((box) => box[1])) - margin;
    const width = Math.max(...boxes.map((box) => box[2])) + margin - left;
    const height = Math.max(...boxes.map((box) => box[3])) + margin - top;
    view.scale = Math.min(1, (innerWidth - 80) / width, (innerHeight - 190) / height);
    view.offset = [60 / view.scale - left, 90 / view.scale - top];
    app.canvas.setDirty(true, true);
    return { x: 60, y: 90, width: width * view.scale, height: height * view.scale };
}"""
RUN_TO_THE_END = """() => new Promise((done, failed) => {
    app.api.addEventListener("execution_success", done, { once: true });
    app.api.addEventListener("execution_error", ({ detail }) => failed(detail.exception_message), { once: true });
    app.queuePrompt(0, 1);
})"""
SETTINGS = {"Comfy.VueNodes.Enabled": True, "Comfy.Minimap.Visible": False, "Comfy.Graph.CanvasInfo": False}
HIDE_MENUS = """() => {  // they float over the canvas
    for (const each of document.querySelectorAll("body *"))
        if (getComputedStyle(each).position === "fixed") each.style.visibility = "hidden";
}"""


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--to", type=Path, default=REPOSITORY)
    arguments = parser.parse_args()
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory() as scratch, sync_playwright() as playwright:
        base = Path(scratch)
        with running_server(base, base / "output") as server:
            browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
            skip_tutorial(server)
            for name, (workflow, language, kinds) in SCREENS.items():
                page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
                save(screenshot(page, server.url, workflow, language, kinds), arguments.to / f"{name}.webp")


def screenshot(page: Any, url: str, workflow: str, language: str, kinds: Sequence[str]) -> Image.Image:
    """A screenshot of the node graph with its result, or of its nodes of these kinds."""
    for _ in range(2):  # node names change language only when the page is opened again
        open_page(page, url)
        for setting, value in {**SETTINGS, "Comfy.Locale": language}.items():
            change_setting(page, setting, value)
    page.keyboard.press("Escape")
    load_workflow(page, json.loads((REPOSITORY / "workflows" / f"{workflow}.json").read_text("utf-8")))
    page.evaluate(RUN_TO_THE_END)
    rectangle = page.evaluate(FIT_TO_WINDOW, [MARGIN, list(kinds)])
    page.wait_for_timeout(2_000)
    page.evaluate(HIDE_MENUS)
    return Image.open(BytesIO(page.screenshot(clip=rectangle)))


def save(picture: Image.Image, path: Path) -> None:
    """Save at a size for the README."""
    picture.thumbnail((WIDEST, WIDEST))
    picture.convert("RGB").save(path, quality=82, method=6)
    print(f"{path}: {path.stat().st_size / 1000:.0f} kB, {picture.width}x{picture.height}")


if __name__ == "__main__":
    main()
