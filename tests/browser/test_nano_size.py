"""A size the model was not made for: said under the sampler and the node that gives it, and set by one click."""

import json

import pytest
from playwright.sync_api import TimeoutError

from page import NODE
from paths import REPOSITORY

NANO = REPOSITORY / "workflows" / "Z-Image Nano - text to image.json"
BLUEPRINT = REPOSITORY / "subgraphs" / "Z-Image Nano - text to image.json"
TURBO_FILE = "z_image_turbo_bf16.safetensors"
SETTLED = "!document.querySelector('.zimage-line[data-line=native]')"


def press(canvas, kind, label):
    """Click the button under a class's node, once its panel tells of the size."""
    canvas.scroll_to(kind)
    panel = canvas.page.wait_for_function(
        f"(kind) => {{ {NODE} return node.widgets.find((each) => each.name === 'zimage_panel')?.element }}", arg=kind
    )
    panel.evaluate("(panel, kind) => { panel.dataset.under = kind }", kind)
    canvas.page.locator(f"[data-under={kind}] [data-line=native]").get_by_role("button", name=label).click()
    canvas.page.wait_for_function(SETTLED)


def hover(canvas, button):
    """Move onto a button; lines that come late may push it out of view, so that its node is scrolled to again."""
    for _ in range(8):
        canvas.scroll_to("ZImageSampler")
        try:
            return button.hover(timeout=15_000)
        except TimeoutError:
            continue
    return button.hover()


def test_a_button_that_is_held_down_survives_news_in_another_line(canvas):
    canvas.open(NANO)
    canvas.put("ZImageEmptyLatent", megapixels=1.0)
    canvas.line("native")
    canvas.scroll_to("ZImageSampler")
    before = canvas.line("evaluations")
    button = canvas.page.locator("[data-line=native]", has=canvas.page.get_by_role("button")).last.get_by_role("button")
    hover(canvas, button)
    canvas.page.mouse.down()
    canvas.put("ZImageSampler", steps=5)
    canvas.page.wait_for_function(
        "(before) => document.querySelector('[data-line=evaluations]').innerText !== before", arg=before
    )
    canvas.page.mouse.up()
    canvas.page.wait_for_function(SETTLED)


@pytest.mark.parametrize("pressed_on", ["ZImageSampler", "ZImageEmptyLatent"])
def test_nano_at_the_nodes_default_is_marked_on_both_nodes_and_one_click_mends_it(shared, pressed_on):
    shared.open(NANO)
    shared.put("ZImageEmptyLatent", megapixels=1.0, ratio="16:9")
    shared.page.wait_for_function("document.querySelectorAll('[data-line=native]').length === 2")
    for told in shared.lines("native"):
        assert "nano (built in) was made for 64 × 64 pixels and does not draw well at 1360 × 768." in told
    press(shared, pressed_on, "Use 64 × 64")
    assert [shared.value("ZImageEmptyLatent", name) for name in ("ratio", "megapixels")] == ["1:1", 0.004]


def test_a_stock_empty_latent_is_set_from_the_stock_sampler_too(shared):
    shared.open(REPOSITORY / "workflows" / "Z-Image Turbo - default graph plus one node.json")
    shared.put("EmptySD3LatentImage", width=64, height=64)
    press(shared, "KSampler", "Use 1024 × 1024")
    assert [shared.value("EmptySD3LatentImage", name) for name in ("width", "height")] == [1024, 1024]


def test_a_new_latent_follows_the_model_it_is_drawn_by_and_a_saved_one_stays(shared):
    shared.page.evaluate(
        "() => { app.graph.clear(); const [loader, latent, sampler] ="
        " ['ZImageModelLoader', 'ZImageEmptyLatent', 'ZImageSampler'].map((kind, index) => {"
        " const node = LiteGraph.createNode(kind); node.pos = [40 + 400 * index, 120];"
        " app.graph.add(node); return node });"
        " loader.widgets.find((widget) => widget.name === 'model_name').value = 'nano (built in)';"
        " loader.connect(0, sampler, 0); latent.connect(0, sampler, 3) }"
    )
    area = "(area) => app.graph.nodes.find((node) => node.type === 'ZImageEmptyLatent').widgets[1].value === area"
    shared.page.wait_for_function(area, arg=0.004)
    shared.put("ZImageModelLoader", model_name=TURBO_FILE)
    shared.page.wait_for_function(area, arg=1)
    saved = shared.serialized()
    shared.open(saved)
    shared.put("ZImageModelLoader", model_name="nano (built in)")
    assert "64 × 64" in shared.line("native")
    assert shared.value("ZImageEmptyLatent", "megapixels") == 1


def test_it_is_set_inside_a_subgraph(shared):
    shared.open(BLUEPRINT)
    shared.put("ZImageEmptyLatent", megapixels=1.0)
    enter_subgraph(shared)
    press(shared, "ZImageSampler", "Use 64 × 64")
    assert shared.value("ZImageEmptyLatent", "megapixels") == 0.004


def test_a_size_that_the_subgraph_node_gives_is_set_there(canvas):
    canvas.open(promoted(json.loads(BLUEPRINT.read_text("utf-8"))))
    widget = "app.graph.nodes[0].widgets?.find((each) => each.name === 'megapixels')"
    canvas.page.wait_for_function(widget)  # widgets of subgraph nodes come a moment after the workflow
    canvas.page.evaluate(f"() => {{ const widget = {widget}; widget.value = 1 }}")
    enter_subgraph(canvas)
    press(canvas, "ZImageSampler", "Use 64 × 64")
    assert canvas.page.evaluate(f"() => {widget}.value") == 0.004
    [sent] = [each["inputs"] for each in canvas.prompt().values() if each["class_type"] == "ZImageEmptyLatent"]
    assert sent["megapixels"] == 0.004


def enter_subgraph(canvas):
    canvas.page.evaluate("() => app.canvas.openSubgraph(app.graph.nodes[0].subgraph, app.graph.nodes[0])")


def promoted(graph):
    """The blueprint with the megapixels of its latent on the subgraph node."""
    subgraph, [outside] = graph["definitions"]["subgraphs"][0], graph["nodes"]
    latent = next(node for node in subgraph["nodes"] if node["type"] == "ZImageEmptyLatent")
    name, slot = "megapixels", len(subgraph["inputs"])
    index, socket = next((index, each) for index, each in enumerate(latent["inputs"]) if each["name"] == name)
    link = 1 + max(each["id"] for each in subgraph["links"])
    socket["link"] = link
    ends = {"origin_id": -10, "origin_slot": slot, "target_id": latent["id"], "target_slot": index}
    subgraph["links"].append({"id": link, **ends, "type": "FLOAT"})
    identity = {"id": "0d1f4e80-0000-4000-8000-000000000001", "name": name, "type": "FLOAT"}
    subgraph["inputs"].append({**identity, "linkIds": [link], "pos": [0, 0]})
    outside["inputs"].append({"name": name, "type": "FLOAT", "widget": {"name": name}, "link": None})
    outside["properties"]["proxyWidgets"].append([str(latent["id"]), name])
    return graph
