"""Every shipped workflow and blueprint opens and is converted in the real page; some are queued from it, and draw."""

import json
from itertools import cycle

import pytest

from page import NEWEST, PINNED
from paths import REPOSITORY
from tools.workflows import to_prompt

WORKFLOWS = sorted((REPOSITORY / "workflows").glob("*.json"))
BLUEPRINTS = sorted((REPOSITORY / "subgraphs").glob("*.json"))
PANEL_HEIGHT = 110  # pixels that workflows leave below nodes for this pack's panels
LARGEST = 0.06  # megapixels on two cores


def by_turns(files):
    """A canvas and a file, which only one of the two opens: both share what converts a graph."""
    pairs = zip(cycle((PINNED, NEWEST)), files, strict=False)  # as many as there are files
    turns = [pytest.param(canvas, file, id=f"{canvas}-{file.stem}") for canvas, file in pairs]
    return pytest.mark.parametrize(("frontend", "file"), turns, indirect=["frontend"], scope="package")


VIEW = "compare_view"  # Compare Images sends what its slider shows, which it never reads


def classes_and_inputs(prompt):
    return {
        node_id: (node["class_type"], {name: value for name, value in node["inputs"].items() if name != VIEW})
        for node_id, node in prompt.items()
    }


def assert_drawn(messages):
    """The messages contain no error, and a saved picture."""
    assert [data for kind, data in messages if kind == "execution_error"] == []
    assert any((data.get("output") or {}).get("images") for kind, data in messages if kind == "executed")


@by_turns(WORKFLOWS)
def test_it_opens_and_is_converted_as_another_program_does(shared, server, file):
    """`tests/server` draws every workflow from that program's prompt."""
    shared.open(file)
    assert shared.missing() == []
    assert classes_and_inputs(shared.prompt()) == classes_and_inputs(to_prompt(server, file))
    saved = {str(node["id"]): node["size"][1] for node in json.loads(file.read_text("utf-8"))["nodes"]}
    assert all(height - saved[name] < PANEL_HEIGHT for name, height in shared.heights().items())


@pytest.mark.parametrize("name", ["Nano - App mode", "Turbo - LoRA list", "Turbo - inpaint"])
def test_it_is_queued_from_the_page_and_ends_with_a_picture(shared, name):
    shared.open(REPOSITORY / "workflows" / f"Z-Image {name}.json")
    shared.shrink(LARGEST)
    assert_drawn(shared.run())


def test_it_is_queued_from_the_page_and_shows_progress_a_preview_and_the_picture(canvas, server):
    canvas.open(REPOSITORY / "workflows" / "Z-Image Nano - text to image.json")
    messages = canvas.run()
    kinds = [kind for kind, _ in messages]
    assert "execution_error" not in kinds
    assert {"progress_state", "executed"} <= set(kinds)
    assert {"b_preview", "b_preview_with_metadata"} & set(kinds)
    steps = [each for kind, data in messages if kind == "progress_state" for each in data["nodes"].values()]
    assert max(each["max"] for each in steps) == 20
    canvas.scroll_to("SaveImage")
    picture = canvas.page.wait_for_function(
        "() => app.graph.nodes.find((node) => node.type === 'SaveImage').imgs?.[0]?.naturalWidth"
        " || document.querySelector('img[src*=\"zimage_\"]')?.naturalWidth"
    )
    assert picture.json_value() == 384


@by_turns(BLUEPRINTS)
def test_a_blueprint_opens_and_is_converted_as_another_program_does(shared, server, file):
    """`tests/server` draws every blueprint from that program's prompt."""
    shared.open(file)
    assert shared.missing() == []
    assert classes_and_inputs(shared.prompt()) == classes_and_inputs(to_prompt(server, file))


def test_a_blueprint_draws_what_it_is_given(shared):
    """A picture and its mask; what stands inside a subgraph is queued as what stands outside."""
    shared.open(REPOSITORY / "subgraphs" / "Z-Image Turbo - inpaint.json")
    shared.page.evaluate(
        "() => { const [shown, photo] = ['PreviewImage', 'LoadImage'].map((kind) => {"
        " const node = LiteGraph.createNode(kind); app.graph.add(node); return node });"
        " const block = app.graph.nodes.find((node) => node.subgraph); block.connect(0, shown, 0);"
        " for (const [slot, input] of block.inputs.entries())"
        " if (['IMAGE', 'MASK'].includes(input.type)) photo.connect(input.type === 'MASK' ? 1 : 0, block, slot) }"
    )
    shared.shrink(LARGEST)
    assert_drawn(shared.run())
