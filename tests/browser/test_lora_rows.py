"""The rows of Z-Image LoRA List: controls write the text, the text draws the rows, and undo takes back one change."""

from contextlib import contextmanager

from PIL import Image

import headers
from paths import REPOSITORY

GRAPH = REPOSITORY / "workflows" / "Z-Image Turbo - LoRA list.json"
KIND, FILE = "ZImageLoraList", "pixel_art_style_z_image_turbo.safetensors"
TRACKER = "app.extensionManager.workflow.activeWorkflow.changeTracker"
SHOWN_ONCE = (  # a text, when the box of the node before undo is gone
    "(text) => [...document.querySelectorAll('textarea')]"
    ".filter((box) => box.offsetParent && box.value === text).length === 1"
)
REST = "0.4>1 @ 0.2-0.8"


def is_text(canvas, text):
    canvas.page.wait_for_function(
        "(text) => app.graph.nodes.find((node) => node.type === 'ZImageLoraList')?.widgets"
        ".find((widget) => widget.name === 'loras').value === text",
        arg=text,
    )


def control(canvas, name, row=0):
    return canvas.page.locator(f".zimage-loras > :nth-child({row + 1}) [data-control={name}]")


@contextmanager
def held_back(page, address):
    """What the server answers comes after the steps inside."""
    waiting = []
    page.route(address, lambda route: waiting.append(route))
    with page.expect_request(address):
        yield
    for route in waiting:
        route.continue_()
    page.unroute(address)


def undo(canvas):
    """Undo loads the graph again: its node has rows of its own, and those of the node before go."""
    before = canvas.page.locator(".zimage-loras").element_handle()
    waiting = canvas.page.evaluate(f"() => {TRACKER}.undoQueue.length")
    canvas.page.keyboard.press("Control+z")
    canvas.page.wait_for_function(f"(before) => {TRACKER}.undoQueue.length < before", arg=waiting)
    canvas.page.wait_for_function(f"() => !{TRACKER}._restoringState")
    canvas.page.wait_for_function(
        "(before) => { const rows = [...document.querySelectorAll('.zimage-loras')];"
        " return rows.length === 1 && rows[0] !== before }",
        arg=before,
    )


def test_loras_are_added_weighed_moved_and_removed_by_keyboard(shared):
    shared.add(KIND)
    shared.scroll_to(KIND)
    shared.put(KIND, loras=f"# x.safetensors : {REST}")
    control(shared, "name").wait_for()
    control(shared, "add", row=1).press("Enter")
    search = shared.page.get_by_role("combobox", name="Search models/loras")
    search.fill("nothing of this name")
    search.press("Escape")
    search.wait_for(state="detached")
    with held_back(shared.page, "**/models/loras"):
        control(shared, "add", row=1).press("Enter")
        search.fill("TURBO pixel")
        search.press("Enter")
    is_text(shared, f"# x.safetensors : {REST}\n{FILE} : 1")
    assert control(shared, "name", row=1).get_attribute("title").startswith(FILE)
    control(shared, "switch").press("Space")
    strength = control(shared, "strength", row=1)
    strength.press("ArrowDown")
    is_text(shared, f"x.safetensors : {REST}\n{FILE} : 0.95")
    strength.fill("-0.5")
    control(shared, "up", row=1).press("Enter")
    is_text(shared, f"{FILE} : -0.5\nx.safetensors : {REST}")
    control(shared, "remove", row=1).press("Enter")
    is_text(shared, f"{FILE} : -0.5")


def test_a_missing_file_is_marked_until_another_is_chosen(shared):
    shared.add(KIND)
    shared.scroll_to(KIND)
    shared.put(KIND, loras=f"gone.safetensors : {REST}\n{FILE}")
    marked = shared.page.locator(".zimage-loras .zimage-warning")
    marked.wait_for()
    assert marked.count() == 1
    marked.click()
    shared.page.get_by_role("option", name=FILE).click()
    is_text(shared, f"{FILE} : {REST}\n{FILE}")
    marked.wait_for(state="detached")


def test_what_cannot_be_read_is_marked_and_the_node_gets_lower_with_its_rows(shared):
    shared.add(KIND)
    shared.scroll_to(KIND)
    marked = shared.page.locator(".zimage-loras .zimage-rest.zimage-warning")
    shared.put(KIND, loras=f"{FILE} : x")
    marked.wait_for()
    assert "x" in marked.inner_text() and "0.8" in marked.inner_text()
    height = "() => app.graph.nodes[0].size[1]"
    shared.put(KIND, loras="\n".join([f"{FILE} : 1,5", *[f"{FILE} : {REST}"] * 11, f"# {FILE} : 1,5"]))
    shared.page.wait_for_function("document.querySelectorAll('.zimage-rest').length === 13")
    assert marked.count() == 1 and ",5" in marked.inner_text()
    shared.page.wait_for_function(f"({height})() > 500")
    shared.put(KIND, loras=f"{FILE} : {REST}")
    shared.page.wait_for_function(f"({height})() < 250")
    marked.wait_for(state="detached")


def test_a_row_shows_its_picture_and_its_words_go_into_the_prompt(shared, server):
    loras = server.base / "models" / "loras"
    headers.write(loras / "fox.safetensors", {}, {"modelspec.trigger_phrase": "ohwx fox, red fur"})
    Image.linear_gradient("L").resize((300, 200)).save(loras / "fox.png")
    shared.open(GRAPH)
    shared.scroll_to(KIND)
    shared.put(KIND, loras=f"fox.safetensors : 1\n{FILE} : 1")
    picture = shared.page.locator(".zimage-loras [data-control=preview]")
    picture.hover()
    large = shared.page.locator(".zimage-large")
    large.wait_for()
    box, node = large.bounding_box(), picture.bounding_box()
    assert picture.count() == 1 and box["width"] > 200 and abs(box["x"] - node["x"]) < 300
    shared.page.mouse.move(5, 5)
    large.wait_for(state="detached")
    picture.focus()
    large.wait_for()
    before = shared.value("ZImageTextEncode", "prompt")
    word = shared.page.locator(".zimage-words button", has_text="ohwx fox")
    word.press("Enter")
    large.wait_for(state="detached")
    assert shared.value("ZImageTextEncode", "prompt") == f"{before}, ohwx fox"
    word.press("Enter")
    assert shared.value("ZImageTextEncode", "prompt") == f"{before}, ohwx fox"
    undo(shared)
    assert shared.value("ZImageTextEncode", "prompt") == before


def test_undo_takes_back_one_change_and_the_rows_follow_the_text(shared):
    shared.open(GRAPH)
    shared.scroll_to(KIND)
    before = shared.value(KIND, "loras")
    control(shared, "switch").click()
    is_text(shared, f"# {before}")
    control(shared, "remove").click()
    is_text(shared, "\n".join(before.split("\n")[1:]))
    undo(shared)
    is_text(shared, f"# {before}")
    undo(shared)
    is_text(shared, before)
    shared.scroll_to(KIND)
    control(shared, "text", row=len(before.split("\n"))).click()
    shared.page.wait_for_function(SHOWN_ONCE, arg=before)
    boxes = shared.page.locator("textarea:visible")
    (box,) = [each for each in boxes.all() if each.input_value() == before]
    count = boxes.count()
    box.fill(f"{FILE} : 0.25")
    control(shared, "text").click()
    assert control(shared, "strength").input_value() == "0.25"
    assert boxes.count() == count - 1


def test_rows_step_aside_for_a_linked_text(shared):
    shared.open(GRAPH)
    shared.scroll_to(KIND)
    control(shared, "switch").wait_for()
    shared.page.evaluate(
        "() => { const node = app.graph.nodes.find((each) => each.type === 'ZImageLoraList');"
        " const text = LiteGraph.createNode('PrimitiveStringMultiline'); app.graph.add(text);"
        " text.connect(0, node, node.inputs.findIndex((input) => input.name === 'loras')) }"
    )
    shared.page.locator(".zimage-loras").wait_for(state="detached")
