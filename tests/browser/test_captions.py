"""The table of Z-Image Caption Folder in the page: edited, approved and asked anew by key and click, page by page; what
a server refuses and what Cancel leaves stand in it.
"""

import shutil
import threading
from collections.abc import Iterator

import pytest
from loopback import Loopback, loopback, send
from PIL import Image

from page import NEWEST
from paths import REPOSITORY

WORKFLOW = REPOSITORY / "workflows" / "Z-Image Nano - difference captions for an edit data set.json"
KIND = "ZImageCaptionFolder"
REFUSAL = b'{"error": {"message": "this picture is not looked at"}}'


def test_captions_are_edited_approved_and_asked_anew_with_the_keyboard(shared, server):
    shutil.rmtree(server.base / "user" / "zimage" / "captioned" / "edits_of_nano's_pictures", ignore_errors=True)
    shared.open(WORKFLOW)
    shared.scroll_to(KIND)
    shared.line("captions", "24 to be captioned")
    assert shared.run()[-1][0] == "execution_success"
    shared.line("captions", "24 of 24 · 0 approved")
    boxes, keys = shared.page.locator(".zimage-caption-text"), shared.page.keyboard
    focused = "document.activeElement.getAttribute('aria-label')"
    assert boxes.count() == 6 and shared.page.locator(".zimage-caption img").count() == 12
    second = boxes.nth(1).input_value()
    boxes.nth(0).fill("in my own words")
    boxes.nth(0).press("Enter")
    shared.line("captions", "24 of 24 · 1 approved")
    shared.page.wait_for_function(f"{focused}.includes('_1.png → ') && {focused}.includes('_3.png')")
    keys.type(" typed")
    keys.press("Escape")
    keys.press("Control+Enter")
    shared.line("captions", "24 of 24 · 2 approved")
    assert boxes.nth(1).input_value() == second
    keys.press("PageDown")
    shared.line("captions", "7–12 of 24")
    shared.page.wait_for_function("document.activeElement.className === 'zimage-caption-text'")
    shared.page.locator(".zimage-captions select").select_option("open")
    shared.line("captions", "1–6 of 22")  # a person's words are approved
    shared.page.locator(".zimage-captions select").select_option("all")
    shared.line("captions", "1–6 of 24")
    shared.page.get_by_role("button", name="Ask for another one").first.click()  # which queues the node
    shared.line("captions", "24 of 24 · 1 approved")
    shared.line("report", "1 of them new")
    assert boxes.nth(0).input_value() not in ("", "in my own words")
    assert len(shared.serialized()["nodes"]) == 2  # no key was the canvas's


@pytest.fixture
def writer(server) -> Iterator[Loopback]:
    """A language server that stands in the settings, and a folder of three pictures for it; both go afterwards."""
    folder = server.base / "input" / "refused and cancelled"
    folder.mkdir()
    for number in range(3):
        Image.new("RGB", (8, 8), (80 * number, 0, 0)).save(folder / f"{number}.png")
    with loopback() as told:
        server.post("/settings", {"ZImage.ServerAddress": told.address})
        yield told
        server.post("/settings", {"ZImage.ServerAddress": ""})
    shutil.rmtree(folder)


@pytest.mark.parametrize("frontend", [NEWEST], indirect=True, scope="package")
def test_a_refused_picture_and_cancel_keep_what_is_written_and_the_next_run_goes_on(shared, writer):
    shared.open(WORKFLOW)
    shared.scroll_to(KIND)
    shared.put(KIND, folder="refused and cancelled", kind="short", captioner="language server")
    shared.line("captions", "3 to be captioned")
    gone = threading.Event()
    writer.answers += ["A black square.", lambda request: send(request, REFUSAL, 400), lambda request: gone.wait(60)]
    shared.press_run()
    shared.line("captions", "1 of 3 · 0 approved · 1 with a problem")  # while the server keeps the third waiting
    failed = shared.page.locator('.zimage-caption[data-state="failed"]')
    assert "this picture is not looked at" in failed.inner_text()
    shared.page.evaluate("() => app.api.interrupt(null)")
    shared.page.wait_for_function("async () => !(await app.api.getQueue()).Running.length")
    gone.set()
    writer.answers += ["A dark red square.", "A red square."]
    assert shared.run()[-1][0] == "execution_success" and len(writer.bodies) == 5
    shared.line("captions", "3 of 3 · 0 approved")
    shared.line("report", "3 of 3 captions are there, 2 of them new")
    written = [box.input_value() for box in shared.page.locator(".zimage-caption-text").all()]
    assert written == ["A black square.", "A dark red square.", "A red square."]
