"""Every shipped workflow in the real page: it opens, is converted, is queued, and draws."""

import json

import pytest

from paths import REPOSITORY
from tools.workflows import to_prompt

WORKFLOWS = sorted((REPOSITORY / "workflows").glob("*.json"))
BLUEPRINTS = sorted((REPOSITORY / "subgraphs").glob("*.json"))
PANEL_HEIGHT = 110  # pixels that workflows leave below nodes for this pack's panels
LARGEST = 0.06  # megapixels on two cores


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


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
def test_it_opens_is_converted_as_another_program_does_and_ends_with_a_picture(shared, server, workflow):
    shared.open(workflow)
    assert shared.missing() == []
    prompt = shared.prompt()
    assert classes_and_inputs(prompt) == classes_and_inputs(to_prompt(server, workflow))
    saved = {str(node["id"]): node["size"][1] for node in json.loads(workflow.read_text("utf-8"))["nodes"]}
    assert all(height - saved[name] < PANEL_HEIGHT for name, height in shared.heights().items())
    if any(node["class_type"] == "UNETLoader" for node in prompt.values()):
        return  # stock loaders accept the released widths only; tests/server runs these workflows with ours
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


@pytest.mark.parametrize("blueprint", BLUEPRINTS, ids=lambda path: path.stem)
def test_a_blueprint_draws_what_it_is_given(shared, blueprint):
    """With a preview node at its output; evaluations inside a subgraph are counted too."""
    shared.open(blueprint)
    assert shared.missing() == []
    shared.page.evaluate(
        "() => { const shown = LiteGraph.createNode('PreviewImage'); app.graph.add(shown);"
        " const block = app.graph.nodes.find((node) => node.subgraph); block.connect(0, shown, 0);"
        " const photo = LiteGraph.createNode('LoadImage'); app.graph.add(photo);"
        " for (const [slot, input] of block.inputs.entries())"
        " if (['IMAGE', 'MASK'].includes(input.type)) photo.connect(input.type === 'MASK' ? 1 : 0, block, slot) }"
    )
    shared.shrink(LARGEST)
    shared.page.evaluate(
        "() => app.graph.nodes.filter((node) => node.type === 'LoadImage' && !node.outputs[0].links?.length)"
        ".forEach((node) => app.graph.remove(node))"
    )
    assert_drawn(shared.run())
