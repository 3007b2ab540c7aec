"""Values survive: saving, reloading, older workflows, and a picture dragged back onto the canvas."""

import json

import pytest

from paths import REPOSITORY

NANO = REPOSITORY / "workflows" / "Z-Image Nano - text to image.json"
CHANGES = {
    "ZImageSampler": {"seed": 7, "steps": 6, "cfg": 2.5, "solver": "heun", "shift": 4.0, "cfg_start": 0.02},
    "ZImageEmptyLatent": {"ratio": "3:2", "megapixels": 0.006, "batch_size": 2},
    "ZImageTextEncode": {"prompt": "一个蓝色的圆 🦊 مرحبا", "long_prompts": "cut at 512 tokens", "remember": "off"},
    "ZImageModelLoader": {"precision": "float32"},
}
# The page keeps a draft of the graph in the browser's storage, shortly after the last change.
DRAFT_HAS = "(text) => [localStorage, sessionStorage].some((each) => Object.values(each).some((v) => v.includes(text)))"


def changed(canvas):
    """The built-in model's workflow with many widget values changed."""
    canvas.open(NANO)
    for kind, values in CHANGES.items():
        canvas.put(kind, **values)
    canvas.page.evaluate(
        "() => app.graph.nodes.flatMap((node) => node.widgets ?? [])"
        ".filter((widget) => widget.name === 'control_after_generate').forEach((widget) => { widget.value = 'fixed' })"
    )


def test_a_saved_workflow_opened_again_keeps_every_value(shared):
    changed(shared)
    saved, prompt = shared.serialized(), shared.prompt()
    for kind, values in CHANGES.items():
        sent = next(node["inputs"] for node in prompt.values() if node["class_type"] == kind)
        assert values.items() <= sent.items()
    shared.go()
    shared.open(saved)
    assert shared.prompt() == prompt
    assert [node.get("widgets_values") for node in shared.serialized()["nodes"]] == [
        node.get("widgets_values") for node in saved["nodes"]
    ]


def test_a_page_loaded_again_still_has_the_graph_the_artist_was_at(canvas):
    changed(canvas)
    prompt = canvas.prompt()
    canvas.page.evaluate("() => app.extensionManager.workflow.activeWorkflow.changeTracker?.checkState?.()")
    canvas.page.wait_for_function(DRAFT_HAS, arg=CHANGES["ZImageTextEncode"]["prompt"])
    canvas.go()
    canvas.page.wait_for_function("() => app.graph.nodes.some((node) => node.type === 'ZImageSampler')")
    assert canvas.prompt() == prompt


def test_a_picture_dragged_onto_the_canvas_brings_its_graph_back(shared, server):
    changed(shared)
    prompt = shared.prompt()
    shared.run()
    picture = max(server.output.glob("zimage_*.png"), key=lambda file: file.stat().st_mtime)
    shared.page.evaluate("() => app.graph.clear()")
    shared.drop(picture)
    shared.page.wait_for_function("() => app.graph.nodes.some((node) => node.type === 'ZImageSampler')")
    assert shared.prompt() == prompt


@pytest.mark.parametrize("missing", [1, 2])
def test_a_workflow_from_before_a_widget_was_added_opens_with_its_default(shared, missing):
    graph = json.loads(NANO.read_text("utf-8"))
    for node in graph["nodes"]:
        if node["type"] == "ZImageTextEncode":
            node["widgets_values"] = node["widgets_values"][: 3 - missing]
            node["inputs"] = [each for each in node["inputs"] if each["name"] != "remember"]
    shared.open(graph)
    assert shared.missing() == []
    encode = next(node["inputs"] for node in shared.prompt().values() if node["class_type"] == "ZImageTextEncode")
    assert (encode["long_prompts"], encode["remember"]) == ("keep every token", "memory")
