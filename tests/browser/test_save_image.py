"""Z-Image Save Image in the real page: its file brings the graph back, its names are written as Save Image's."""

import json
from datetime import date

from PIL import Image

from paths import REPOSITORY

NANO = REPOSITORY / "workflows" / "Z-Image Nano - text to image.json"
PREFIX = "%date:yyyy-MM-dd%/of %ZImageSampler.steps%"


def graph():
    """The nano workflow with this node in place of Save Image."""
    workflow = json.loads(NANO.read_text("utf-8"))
    (save,) = [each for each in workflow["nodes"] if each["type"] == "SaveImage"]
    parameters = {"name": "parameters", "type": "BOOLEAN", "widget": {"name": "parameters"}, "link": None}
    save |= {"type": "ZImageSaveImage", "widgets_values": [PREFIX, True], "inputs": [*save["inputs"], parameters]}
    save["properties"] = {"cnr_id": "zimage-nodes", "ver": "0.1.0", "Node name for S&R": "ZImageSaveImage"}
    return workflow


def test_a_picture_dragged_onto_the_canvas_brings_its_graph_back(canvas, server):
    canvas.open(graph())
    canvas.put("ZImageSampler", steps=3, seed=77)
    before = canvas.serialized()["nodes"]
    assert not [data for kind, data in canvas.run() if kind == "execution_error"]
    folder = server.output / date.today().isoformat()
    picture = max(folder.glob("of 3_*.png"), key=lambda file: file.stat().st_mtime)
    assert "Seed: 77, Size: 64x64" in Image.open(picture).text["parameters"]
    canvas.page.evaluate("() => app.graph.clear()")
    canvas.drop(picture)
    canvas.page.wait_for_function("() => app.graph.nodes.some((node) => node.type === 'ZImageSaveImage')")
    assert canvas.value("ZImageSaveImage", "filename_prefix") == PREFIX  # as typed, not as queued
    assert canvas.value("ZImageSampler", "seed") == 77
    assert [each["type"] for each in canvas.serialized()["nodes"]] == [each["type"] for each in before]
