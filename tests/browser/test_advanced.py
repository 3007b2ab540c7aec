"""Rarely used inputs: hidden on a new node of either canvas, there at a click, and never hidden where they are used."""

import pytest

from paths import REPOSITORY

SHOWN = """(kind) => { const node = app.graph.nodes.find((each) => each.type === kind);
return node.widgets.filter((each) => node.isWidgetVisible(each)).map((each) => each.name) }"""
NO_GAP = """() => { const { widgets } = app.graph.nodes[0]; const place = (name) => widgets.find((each) =>
each.name === name).y; return Math.abs(place("strength") - place("steps")) < 30 }"""
HEIGHT = "(kind) => app.graph.nodes.find((each) => each.type === kind).size[1]"
USED = ["seed", "control_after_generate", "steps", "strength"]


@pytest.fixture(autouse=True)
def classic(frontend):
    if "classic" not in frontend:
        pytest.skip("Nodes 2.0 has a button of its own")


def shown(canvas):
    return [name for name in canvas.page.evaluate(SHOWN, "ZImageTurboSampler") if name != "zimage_panel"]


def test_a_new_node_shows_what_is_often_used_and_a_button_the_rest(shared):
    shared.add("ZImageTurboSampler")
    assert shown(shared) == USED
    shared.page.get_by_role("button", name="Show advanced inputs").click()
    assert {"solver", "shift", "seed_per_picture"} <= set(shown(shared))
    tall = shared.page.evaluate(HEIGHT, "ZImageTurboSampler")
    shared.page.get_by_role("button", name="Hide advanced inputs").click()
    assert shown(shared) == USED
    assert shared.page.evaluate(HEIGHT, "ZImageTurboSampler") < tall
    shared.page.wait_for_function(NO_GAP)


def test_a_loaded_node_shows_them_where_one_was_changed(shared):
    shared.open(REPOSITORY / "workflows" / "Z-Image Turbo - text to image.json")
    assert shown(shared) == USED
    shared.open(REPOSITORY / "workflows" / "Z-Image Base - first steps then Turbo.json")
    assert {"start_at_step", "add_noise"} <= set(shown(shared))


def test_what_is_hidden_is_saved_and_queued(shared):
    shared.add("ZImageTurboSampler")
    assert {"solver", "shift"} <= set(shared.prompt()[next(iter(shared.prompt()))]["inputs"])
