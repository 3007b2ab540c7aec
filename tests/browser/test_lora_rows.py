"""The rows of Z-Image LoRA List: controls write the text, the text draws the rows, and undo takes back one change."""

from paths import REPOSITORY

GRAPH = REPOSITORY / "workflows" / "Z-Image Turbo - LoRA list.json"
KIND, FILE = "ZImageLoraList", "pixel_art_style_z_image_turbo.safetensors"
TRACKER = "app.extensionManager.workflow.activeWorkflow.changeTracker"
REST = "0.4>1 @ 0.2-0.8"


def is_text(canvas, text):
    canvas.page.wait_for_function(
        "(text) => app.graph.nodes.find((node) => node.type === 'ZImageLoraList')?.widgets"
        ".find((widget) => widget.name === 'loras').value === text",
        arg=text,
    )


def control(canvas, name, row=0):
    return canvas.page.locator(f".zimage-loras > :nth-child({row + 1}) [data-control={name}]")


def undo(canvas):
    waiting = canvas.page.evaluate(f"() => {TRACKER}.undoQueue.length")
    canvas.page.keyboard.press("Control+z")
    canvas.page.wait_for_function(f"(before) => {TRACKER}.undoQueue.length < before", arg=waiting)
    canvas.page.wait_for_function(f"() => !{TRACKER}._restoringState")
    canvas.page.wait_for_function("document.querySelectorAll('.zimage-loras').length === 1")  # the old node's is gone


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
    height = "() => app.graph.nodes[0].size[1]"
    shared.put(KIND, loras="\n".join([f"{FILE} : 1,5", *[f"{FILE} : {REST}"] * 11, f"# {FILE} : 1,5"]))
    marked.wait_for()
    assert marked.count() == 1 and ",5" in marked.get_attribute("title")
    shared.page.wait_for_function(f"({height})() > 500")
    shared.put(KIND, loras=f"{FILE} : {REST}")
    shared.page.wait_for_function(f"({height})() < 250")
    marked.wait_for(state="detached")


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
