"""Z-Image Arena in the page: blind pairs after a run, votes by click and by key, undo, and all of it after a reload."""

import json

from paths import REPOSITORY

WORKFLOW = REPOSITORY / "workflows" / "Z-Image Nano - arena.json"
KIND = "ZImageArena"


def pictures(canvas):
    """Addresses of the two pictures that are shown."""
    return [each.get_attribute("src") for each in canvas.page.locator(".zimage-arena img").all()]


def begin(canvas):
    graph = json.loads(WORKFLOW.read_text("utf-8"))
    for steps, sampler in enumerate((each for each in graph["nodes"] if each["type"] == "ZImageSampler"), start=1):
        sampler["widgets_values"][2] = steps
    canvas.open(graph)
    canvas.scroll_to(KIND)
    canvas.put("ZImageEmptyLatent", batch_size=2)
    canvas.put("ZImageArena", arena="votes", names="few\nmany")  # what waits in the workflow's arena other tests see


def test_votes_by_click_and_by_key_are_taken_back_and_outlast_the_page(canvas):
    begin(canvas)
    canvas.line("arena", "No pictures wait here")
    assert canvas.run()[-1][0] == "execution_success"
    shown = canvas.line("arena", "2 waiting · 0 votes")
    assert "small yellow star" in shown and "few" not in shown and "many" not in shown
    first = pictures(canvas)
    canvas.page.wait_for_function(
        "[...document.querySelectorAll('.zimage-arena img')].every((each) => each.naturalWidth)"
    )
    canvas.page.get_by_role("button", name="The left picture is better").click()
    shown = canvas.line("arena", "1 waiting · 1 votes")
    assert "was better than" in shown and "1 won, 0 drawn, 0 lost" in shown
    second = pictures(canvas)
    assert not set(first) & set(second)
    canvas.page.keyboard.press("Space")  # the click has given the arena the keys, and the left picture none
    assert "A draw between" in canvas.line("arena", "0 waiting · 2 votes")
    canvas.page.keyboard.press("z")
    canvas.line("arena", "1 waiting · 1 votes")
    assert pictures(canvas) == second
    canvas.page.keyboard.press("f")
    canvas.page.locator("dialog .zimage-arena").wait_for()
    canvas.page.keyboard.press("ArrowRight")
    canvas.page.locator("dialog", has_text="0 waiting").wait_for()
    canvas.page.keyboard.press("Escape")
    canvas.page.locator("dialog .zimage-arena").wait_for(state="detached")
    before = canvas.line("arena", "0 waiting · 2 votes")
    assert len(canvas.serialized()["nodes"]) == 12  # no key was the canvas's
    canvas.go()
    begin(canvas)
    canvas.page.wait_for_function("document.querySelectorAll('.zimage-arena').length === 1")  # the old page's is gone
    assert canvas.line("arena", "0 waiting · 2 votes") == before
    canvas.page.get_by_role("button", name="Undo (z)").click()
    canvas.line("arena", "1 waiting · 1 votes")
    assert pictures(canvas) == second


def test_a_taste_is_chosen_by_click_and_by_key_and_outlasts_the_page(canvas, server):
    def begin():
        canvas.open(json.loads((WORKFLOW.parent / "Z-Image Nano - choose what you like.json").read_text("utf-8")))
        canvas.scroll_to("ZImagePreference")
        canvas.put("ZImageSampler", steps=1)
        canvas.put("ZImagePreference", name="taste")

    begin()
    canvas.put("ZImageEmptyLatent", batch_size=3)
    canvas.line("arena", "with two pictures or more of one prompt")
    assert canvas.run()[-1][0] == "execution_success"
    assert "a star" in canvas.line("arena", "3 waiting · 0 decided")
    canvas.page.get_by_role("button", name="The right picture is better").click()
    assert "the right one was better" in canvas.line("arena", "2 waiting · 1 decided")
    canvas.page.keyboard.press("Space")
    assert "Last: neither" in canvas.line("arena", "1 waiting · 2 decided")
    canvas.page.keyboard.press("z")
    before = canvas.line("arena", "2 waiting · 1 decided")
    canvas.go()
    begin()
    canvas.page.wait_for_function("document.querySelectorAll('.zimage-arena').length === 1")  # the old page's is gone
    assert canvas.line("arena", "2 waiting · 1 decided") == before
    with (server.output / "zimage_preferences/taste/preferences.jsonl").open("a") as choices:
        choices.write("{}\n")
    begin()
    assert "line 2 is no preference pair (it lacks " in canvas.line("arena", "delete that line")
