"""A new prompt node shows eight lines of each prompt; a saved one keeps its size."""

import pytest

LINES = (  # whole lines of text that each visible box shows
    "() => [...document.querySelectorAll('textarea')].filter((box) => box.offsetParent).map((box) => {"
    " const style = getComputedStyle(box); const size = parseFloat(style.fontSize);"
    " const line = parseFloat(style.lineHeight) || 1.2 * size;"
    " return Math.floor((box.clientHeight - parseFloat(style.paddingTop) - parseFloat(style.paddingBottom)) / line) })"
)


@pytest.fixture(scope="module", autouse=True)
def _after_a_run(module_canvas):
    """The button of the last prompts stands below every prompt from then on."""
    module_canvas.page.evaluate("() => app.api.storeUserData('zimage-prompts.json', ['a red heart'])")
    module_canvas.go()


@pytest.mark.parametrize(("kind", "boxes"), [("ZImageTextEncode", 1), ("ZImageEditEncode", 2), ("ZImagePrompt", 1)])
def test_a_new_node_shows_eight_lines_and_a_saved_one_keeps_its_size(shared, kind, boxes):
    shared.add(kind)
    shared.scroll_to(kind)
    shared.page.locator('[data-line="history"]').wait_for()
    shared.page.wait_for_function(f"({LINES})().length === {boxes}")
    shared.page.wait_for_function(f"({LINES})().every((lines) => lines >= 8)")
    saved = shared.serialized()
    saved["nodes"][0]["size"][1] = 330 * boxes
    shared.open(saved)
    shared.page.wait_for_function(f"({LINES})().length === {boxes}")
    assert shared.heights() == {str(saved["nodes"][0]["id"]): pytest.approx(330 * boxes, abs=2)}
