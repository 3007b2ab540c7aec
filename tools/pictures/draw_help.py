"""`make help-pictures`: draws the pictures of the help pages with the built-in model, on a real ComfyUI."""

import argparse
import asyncio
import tempfile
from pathlib import Path
from typing import Any

from PIL import Image

from ..comfyui import REPOSITORY, Server, running_server
from ..workflows import execute
from . import (
    help_captions,
    help_enhance,
    help_inputs,
    help_lora,
    help_models,
    help_region_prompts,
    help_regions,
    help_sampling,
    help_scores,
    help_training,
)
from .prompt_graph import PromptGraph
from .strips import Cell, Difference, Panel, Rows, difference, strip

DOCS = REPOSITORY / "js" / "docs"
STRIPS = {
    **help_sampling.STRIPS,
    **help_inputs.STRIPS,
    **help_regions.STRIPS,
    **help_models.STRIPS,
    **help_region_prompts.STRIPS,
    **help_scores.STRIPS,
    **help_enhance.STRIPS,
    **help_captions.STRIPS,
    **help_training.STRIPS,
}


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("only", nargs="*", help="which to draw, all if none is named")
    names = parser.parse_args().only or list(STRIPS)
    with tempfile.TemporaryDirectory() as folder, running_server(Path(folder), Path(folder) / "output") as server:
        if any(name.startswith(("ZImageLoraLoader/", "ZImageLoraTest/")) for name in names):
            help_lora.write_lora(server.base / "models" / "loras" / help_lora.FILE)
        for name in names:
            file = DOCS / f"{name}.webp"
            draw_strip(server, name).save(file, quality=90, method=6)
            print(f"{file.relative_to(REPOSITORY)}: {file.stat().st_size / 1000:.1f} kB")


def draw_strip(server: Server, name: str) -> Image.Image:
    """Run the prompt graph of a strip on the server and lay its pictures out."""
    graph = PromptGraph()
    rows = STRIPS[name](graph)
    prefixes = add_save_nodes(graph, name, rows)
    numbers: dict[str, str] = {}

    def on_message(kind: str, data: dict[str, Any]) -> None:
        if kind == "executed" and "text" in (data.get("output") or {}):
            numbers[data["node"]] = data["output"]["text"][0]

    outcome = asyncio.run(execute(server, graph.prompt, on_message))
    if outcome.error:
        raise RuntimeError(f"{name}: {outcome.error.get('exception_message') or outcome.error}")
    return strip(load_cells(server, rows, prefixes, numbers))


def add_save_nodes(graph: PromptGraph, name: str, rows: Rows) -> dict[Panel, str]:
    """Add a node that saves each picture, and one that shows its number; returns the pictures' filename prefixes."""
    shown = [each for row in rows for each in row if isinstance(each, Panel)]
    prefixes = {each: f"{name}/{index:02}" for index, each in enumerate(shown)}
    for each, prefix in prefixes.items():
        graph.add("SaveImage", images=each.image, filename_prefix=prefix)
        if each.number:
            graph.prompt[prefix] = {"class_type": "PreviewAny", "inputs": {"source": each.number}}
    return prefixes


def load_cells(server: Server, rows: Rows, prefixes: dict[Panel, str], numbers: dict[str, str]) -> list[list[Cell]]:
    """Load the saved pictures, every one of a batch, and compute the differences between them."""
    pictures_so_far: list[Image.Image] = []
    sheet: list[list[Cell]] = []
    for row in rows:
        sheet.append([])
        for each in row:
            if isinstance(each, Difference):
                amplified = difference(pictures_so_far[each.first], pictures_so_far[each.second], each.times)
                sheet[-1].append(Cell(amplified, (f"x {each.times}",)))
                continue
            lines = [line for line in (each.label, numbers.get(prefixes[each])) if line]
            files = sorted(server.output.glob(f"{prefixes[each]}_*.png"))
            pictures = [Image.open(file).convert("RGB") for file in files]
            pictures_so_far += pictures
            sheet[-1] += [Cell(picture, lines) for picture in pictures]
    return sheet


if __name__ == "__main__":
    main()
