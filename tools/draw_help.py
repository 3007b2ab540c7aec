"""`make help-pictures`: draws the pictures of the help pages with the built-in model, on a real ComfyUI."""

import argparse
import asyncio
import tempfile
from pathlib import Path
from typing import Any

import help_lora
import help_models
import help_pictures
import help_regions
import help_sampling
from help_graphs import Graph
from help_strips import Cell, Difference, Rows, Shown, difference, strip
from PIL import Image

from comfyui import REPOSITORY, Server, running
from workflows import execute

DOCS = REPOSITORY / "js" / "docs"
STRIPS = {**help_sampling.STRIPS, **help_pictures.STRIPS, **help_regions.STRIPS, **help_models.STRIPS}


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("only", nargs="*", help="which to draw, all if none is named")
    names = parser.parse_args().only or list(STRIPS)
    with tempfile.TemporaryDirectory() as folder, running(Path(folder), Path(folder) / "output") as server:
        if any(name.startswith("ZImageLoraLoader/") for name in names):
            help_lora.write_lora(server.base / "models" / "loras" / help_lora.FILE)
        for name in names:
            file = DOCS / f"{name}.webp"
            drawn(server, name).save(file, quality=90, method=6)
            print(f"{file.relative_to(REPOSITORY)}: {file.stat().st_size / 1000:.1f} kB")


def drawn(server: Server, name: str) -> Image.Image:
    """A strip, from the graph that shows it."""
    graph = Graph()
    rows = STRIPS[name](graph)
    places = save_each(graph, name, rows)
    numbers: dict[str, str] = {}

    def follow(kind: str, data: dict[str, Any]) -> None:
        if kind == "executed" and "text" in (data.get("output") or {}):
            numbers[data["node"]] = data["output"]["text"][0]

    outcome = asyncio.run(execute(server, graph.prompt, follow))
    if outcome.error:
        raise RuntimeError(f"{name}: {outcome.error.get('exception_message') or outcome.error}")
    return strip(cells(server, rows, places, numbers))


def save_each(graph: Graph, name: str, rows: Rows) -> dict[Shown, str]:
    """Has every picture saved under a place of its own, and every number shown; returns the places."""
    shown = [each for row in rows for each in row if isinstance(each, Shown)]
    places = {each: f"{name}/{index:02}" for index, each in enumerate(shown)}
    for each, place in places.items():
        graph.add("SaveImage", images=each.image, filename_prefix=place)
        if each.number:
            graph.prompt[place] = {"class_type": "PreviewAny", "inputs": {"source": each.number}}
    return places


def cells(server: Server, rows: Rows, places: dict[Shown, str], numbers: dict[str, str]) -> list[list[Cell]]:
    """The pictures as they were saved, all of a batch, and the differences between them."""
    made: list[Image.Image] = []
    sheet: list[list[Cell]] = []
    for row in rows:
        sheet.append([])
        for each in row:
            if isinstance(each, Difference):
                apart = difference(made[each.first], made[each.second], each.times)
                sheet[-1].append(Cell(apart, (f"x {each.times}",)))
                continue
            lines = [line for line in (each.label, numbers.get(places[each])) if line]
            files = sorted(server.output.glob(f"{places[each]}_*.png"))
            pictures = [Image.open(file).convert("RGB") for file in files]
            made += pictures
            sheet[-1] += [Cell(picture, lines) for picture in pictures]
    return sheet


if __name__ == "__main__":
    main()
