"""The table of Z-Image Caption Folder in the page: edited, approved and asked anew by key and click, page by page."""

import shutil

from paths import REPOSITORY

WORKFLOW = REPOSITORY / "workflows" / "Z-Image Nano - difference captions for an edit data set.json"
KIND = "ZImageCaptionFolder"


def test_captions_are_edited_approved_and_asked_anew_with_the_keyboard(canvas, server):
    shutil.rmtree(server.base / "user" / "zimage" / "captioned" / "edits_of_nano's_pictures", ignore_errors=True)
    canvas.open(WORKFLOW)
    canvas.scroll_to(KIND)
    canvas.line("captions", "24 to be captioned")
    assert canvas.run()[-1][0] == "execution_success"
    canvas.line("captions", "24 of 24 · 0 approved")
    boxes, keys = canvas.page.locator(".zimage-caption-text"), canvas.page.keyboard
    focused = "document.activeElement.getAttribute('aria-label')"
    assert boxes.count() == 6 and canvas.page.locator(".zimage-caption img").count() == 12
    second = boxes.nth(1).input_value()
    boxes.nth(0).fill("in my own words")
    boxes.nth(0).press("Enter")
    canvas.line("captions", "24 of 24 · 1 approved")
    canvas.page.wait_for_function(f"{focused}.includes('_1.png → ') && {focused}.includes('_3.png')")
    keys.type(" typed")
    keys.press("Escape")
    keys.press("Control+Enter")
    canvas.line("captions", "24 of 24 · 2 approved")
    assert boxes.nth(1).input_value() == second
    keys.press("PageDown")
    canvas.line("captions", "7–12 of 24")
    canvas.page.wait_for_function("document.activeElement.className === 'zimage-caption-text'")
    canvas.page.locator(".zimage-captions select").select_option("open")
    canvas.line("captions", "1–6 of 22")  # a person's words are approved
    canvas.page.locator(".zimage-captions select").select_option("all")
    canvas.line("captions", "1–6 of 24")
    canvas.page.get_by_role("button", name="Ask for another one").first.click()  # which queues the node
    canvas.line("captions", "24 of 24 · 1 approved")
    canvas.line("report", "1 of them new")
    assert boxes.nth(0).input_value() not in ("", "in my own words")
    assert len(canvas.serialized()["nodes"]) == 2  # no key was the canvas's
