"""How the shipped workflows lie on the canvas, from their files alone; ComfyUI's default graph keeps its own places."""

import json
from itertools import combinations
from typing import Any

import pytest

from paths import REPOSITORY

WORKFLOWS = [path for path in sorted((REPOSITORY / "workflows").glob("*.json")) if "default graph" not in path.stem]
GRAPHS = {path.stem: json.loads(path.read_text("utf-8")) for path in WORKFLOWS}
each_workflow = pytest.mark.parametrize("graph", GRAPHS.values(), ids=GRAPHS)

TITLE_HEIGHT = 30  # pixels of a node's title, above its position
PANEL_HEIGHT = 110  # of this pack's reports and meters below a node
PREVIEW_HEIGHT = 340  # of the last live preview and the facts below a sampler, on the classic canvas
SIZES_HEIGHT = 50  # of the numbers that Get Image Size shows
PICTURE_HEIGHT = 300  # a node that has shown a picture
SHOWS_PICTURES = ("SaveImage", "ZImageSaveImage", "PreviewImage", "LoadImage", "ImageCompare", "ZImagePickBest")
SHOW_CURVES = ("ZImageTrain", "ZImageTrainLora", "ZImageDistill", "ZImagePrefer")
NARROWEST = 225  # Nodes 2.0 widens a narrower node
LIGHT = ("ZImageTextEncoderLoader", "ZImageVAELoader", "ZImageVisionLoader", "ZImageControlNetLoader", "ZImageAttach")
COLORS = {
    "Files 模型文件": "#3f789e",
    "Prompt 提示词": "#8A8",
    "Picture 图片": "#b58b2a",
    "Sampling 采样": "#a1309b",
    "Result 结果": "#b06634",
}
SCREEN, SIDEBAR = 1400, 60  # pixels
SMALLEST_SCALE = 8 / 14  # ComfyUI draws no text on nodes where its 14 pixels would be fewer than 8

Box = tuple[float, float, float, float]


def grown(node: dict[str, Any]) -> Box:
    """Left, top, right and bottom of a node after a run: with its title, its picture, its report."""
    (left, top), (width, height) = node["pos"], node["size"]
    if node["type"] in SHOWS_PICTURES:
        height = max(height, PICTURE_HEIGHT)
    if node["type"] == "GetImageSize":
        height += SIZES_HEIGHT
    if node["type"].endswith("Sampler") or node["type"] in SHOW_CURVES:
        height += PREVIEW_HEIGHT
    elif node["type"].startswith("ZImage") and node["type"] not in LIGHT:
        height += PANEL_HEIGHT
    return left, top - TITLE_HEIGHT, left + width, top + height


def group_box(group: dict[str, Any]) -> Box:
    left, top, width, height = group["bounding"]
    return left, top, left + width, top + height


def overlaps(a: Box, b: Box) -> bool:
    return not (a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] or b[3] <= a[1])


def contains(outer: Box, inner: Box) -> bool:
    return outer[0] <= inner[0] and outer[1] <= inner[1] and inner[2] <= outer[2] and inner[3] <= outer[3]


@each_workflow
def test_no_node_lies_on_another_after_a_run(graph):
    assert min(node["size"][0] for node in graph["nodes"]) >= NARROWEST
    for one, other in combinations(graph["nodes"], 2):
        assert not overlaps(grown(one), grown(other)), (one["type"], other["type"])


@each_workflow
def test_every_link_runs_from_left_to_right(graph):
    places = {node["id"]: node for node in graph["nodes"]}
    for _, source, _, target, _, kind in graph["links"]:
        end = places[source]["pos"][0] + places[source]["size"][0]
        assert end < places[target]["pos"][0], (places[source]["type"], kind, places[target]["type"])


@each_workflow
def test_every_node_but_the_note_lies_in_one_group_of_five_kinds_and_groups_lie_apart(graph):
    boxes = [group_box(group) for group in graph["groups"]]
    assert not any(overlaps(one, other) for one, other in combinations(boxes, 2))
    assert {group["title"]: group["color"] for group in graph["groups"]}.items() <= COLORS.items()
    assert {group["font_size"] for group in graph["groups"]} == {24}
    for node in graph["nodes"]:
        holding = [box for box in boxes if overlaps(box, grown(node))]
        assert len(holding) == (node["type"] != "MarkdownNote")
        assert all(contains(box, grown(node)) for box in holding), node["type"]


@each_workflow
def test_it_opens_readable_on_a_screen_1400_pixels_wide_with_the_loaders_in_view(graph):
    scale, (x, y) = graph["extra"]["ds"]["scale"], graph["extra"]["ds"]["offset"]
    boxes = [group_box(group) for group in graph["groups"]]
    left, right = min(box[0] for box in boxes), max(box[2] for box in boxes)
    assert scale > SMALLEST_SCALE
    assert (left + x) * scale >= SIDEBAR
    assert (min(box[1] for box in boxes) + y) * scale > 50  # pixels of the menu
    stages = sum(node["type"].endswith("Sampler") for node in graph["nodes"])
    kinds = {node["type"] for node in graph["nodes"]}
    if stages == 1 and not kinds & {
        "Canny",
        "ZImageStepCache",
        "ZImageTrainLora",
        "ZImageTrain",
        "ZImageDistill",
        "ZImagePrefer",
    }:  # longer chains only begin in view
        assert (right + x) * scale <= SCREEN


@each_workflow
def test_no_node_is_one_that_comfyui_calls_deprecated(graph):
    assert "ImageBatch" not in {node["type"] for node in graph["nodes"]}
