"""The last prompts under prompt boxes: kept by the server for the user, put back by a click."""

from paths import REPOSITORY

NANO = REPOSITORY / "workflows" / "Z-Image Nano - text to image.json"
KIND = "ZImageTextEncode"
BUTTONS = ".zimage-line[data-line=history]:visible button"
FIRST, SECOND = "a large blue star in the middle on a white background", "黑色背景上中间有一个大粉色星星"


def drawn(canvas, prompt):
    canvas.open(NANO)
    canvas.put("ZImageSampler", steps=1)
    canvas.put(KIND, prompt=prompt)
    canvas.run()


def test_a_prompt_that_was_run_is_put_back_also_in_a_page_opened_later(canvas):
    canvas.page.evaluate("() => app.api.deleteUserData('zimage-prompts.json')")  # of other tests
    canvas.go()
    drawn(canvas, FIRST)
    drawn(canvas, SECOND)
    canvas.page.wait_for_function(
        "async (text) => (await (await app.api.getUserData('zimage-prompts.json')).json())[0] === text", arg=SECOND
    )
    canvas.go()
    for kind, box in ((KIND, "prompt"), ("ZImagePrompt", "text")):
        canvas.add(kind)
        canvas.scroll_to(kind)
        canvas.line("history")
        height = canvas.heights()
        canvas.page.get_by_role("button", name="Last prompts").click()
        canvas.line("history", FIRST)
        listed = canvas.page.locator(BUTTONS).all_inner_texts()
        assert listed[1:] == [SECOND, FIRST]
        canvas.page.get_by_role("button", name=FIRST).click()
        assert canvas.value(kind, box) == FIRST
        assert canvas.heights() == height
        assert FIRST not in canvas.line("history")
