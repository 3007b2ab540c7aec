"""The curve of Z-Image Draw Sigmas in the page: drawn by mouse and by keyboard, it writes the node's points."""

KIND = "ZImageDrawnSigmas"
TURBO = "1 0.955 0.9 0.833 0.75 0.643 0.5 0.3 0"


def sigmas(canvas, containing=""):
    return " ".join(canvas.line("sigmas", containing).split())


def area(canvas):
    return canvas.page.locator(".zimage-curve > div").bounding_box()


def place(box, part, sigma):
    return box["x"] + part * box["width"], box["y"] + (1 - sigma) * box["height"]


def test_points_are_added_dragged_and_removed_by_mouse(shared):
    shared.add(KIND)
    shared.scroll_to(KIND)
    assert sigmas(shared, "0.955") == TURBO
    box, mouse = area(shared), shared.page.mouse
    mouse.move(*place(box, 0.5, 0.9))
    mouse.down()
    mouse.move(*place(box, 0.5, 0.5), steps=4)
    mouse.up()
    first, added, last = shared.value(KIND, "points").split(", ")
    assert (first, last) == ("0 1", "1 0")
    assert [abs(float(number) - 0.5) < 0.02 for number in added.split()] == [True, True]
    assert shared.page.locator(".zimage-dot").count() == 9
    mouse.dblclick(*place(box, 0.5, 0.5))
    assert shared.value(KIND, "points") == "0 1, 1 0"
    assert sigmas(shared, "0.955") == TURBO


def test_it_is_drawn_by_keyboard_and_follows_what_is_typed(shared):
    shared.add(KIND)
    shared.scroll_to(KIND)
    handles = shared.page.locator(".zimage-curve button")
    shared.line("sigmas", "0.955")
    handles.first.press("Enter")
    assert shared.value(KIND, "points") == "0 1, 0.5 0.5, 1 0"
    for key in ("ArrowUp", "ArrowUp", "ArrowLeft"):
        handles.nth(1).press(key)
    assert shared.value(KIND, "points") == "0 1, 0.49 0.52, 1 0"
    assert handles.nth(1).get_attribute("aria-label") == "point at 49% of the steps, sigma 0.52"
    handles.nth(1).press("Delete")
    assert shared.value(KIND, "points") == "0 1, 1 0"
    assert len(shared.serialized()["nodes"]) == 1  # the key was not the canvas's
    shared.put(KIND, points="0 1, 0.5 1, 1 0")
    shared.line("curve", "no falling curve")
    assert handles.count() == 0


def rest(canvas):
    """Let go for a moment: the newest frontend counts as one step what follows within 50 ms."""
    begin = canvas.page.evaluate("performance.now()")
    canvas.page.wait_for_function("(begin) => performance.now() > begin + 150", arg=begin)
    return canvas.value(KIND, "points")


def test_undo_takes_back_one_drag_key_or_button_also_while_a_point_has_the_focus(shared):
    shared.add(KIND)
    shared.scroll_to(KIND)
    shared.put(KIND, points="0 1, 1 0")
    sigmas(shared, "0.955")
    box, mouse = area(shared), shared.page.mouse
    mouse.move(*place(box, 0.5, 0.9))
    mouse.down()
    mouse.move(*place(box, 0.5, 0.5), steps=4)
    mouse.up()
    dragged = rest(shared)
    shared.page.locator(".zimage-curve button").nth(1).press("ArrowUp")
    typed = rest(shared)
    shared.page.get_by_role("button", name="Straight line").last.click()
    assert len({dragged, typed, rest(shared)}) == 3
    for points in (typed, dragged):
        shared.page.locator(".zimage-curve button").nth(1).press("Control+z")
        shared.page.wait_for_function(
            "(points) => app.graph.nodes[0]?.widgets.find((each) => each.name === 'points').value === points",
            arg=points,
        )
        shared.page.wait_for_function("document.querySelectorAll('.zimage-curve').length === 1")
        rest(shared)


def test_its_buttons_begin_again_with_a_models_schedule_and_only_the_points_are_saved(shared):
    shared.add(KIND)
    shared.scroll_to(KIND)
    shared.put(KIND, points="0 1, 0.3 0.4, 1 0")
    shared.line("curves")
    shared.page.get_by_role("button", name="Base settings").last.click()
    sigmas(shared, "0.994")
    assert [shared.value(KIND, name) for name in ("steps", "shift", "points")] == [28, 6, "0 1, 1 0"]
    shared.page.get_by_role("button", name="Straight line").last.click()
    sigmas(shared, "0.964")
    [saved] = shared.serialized()["nodes"]
    assert saved["widgets_values"] == [28, 1, "0 1, 1 0"]
    assert shared.prompt()[str(saved["id"])]["inputs"] == {"steps": 28, "shift": 1, "points": "0 1, 1 0"}
