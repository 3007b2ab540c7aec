"""Z-Image Find Duplicates, Profile Folder and Search in the page: clicks and keys write what the next run does."""

from paths import REPOSITORY

COPIES, PROFILE = "ZImageFindDuplicates", "ZImageProfileFolder"
MESSY = "a messy folder (built in)"


def test_a_copy_is_kept_by_click_or_key_undone_and_followed_by_the_next_run(shared):
    shared.add(COPIES)
    shared.put(COPIES, folder=MESSY)
    assert shared.run()[-1][0] == "execution_success"
    shared.line("report", "25 stay, 4 are copies")
    pictures, keys = shared.page.locator(".zimage-wall-picture"), shared.page.keyboard
    shared.page.wait_for_function("document.querySelectorAll('.zimage-wall img[src^=data]').length === 8")
    copy = pictures.nth(1)
    copy.click()
    shared.page.wait_for_selector(".zimage-wall-picture:nth-child(2)[data-verdict=keep]")
    assert shared.value(COPIES, "choices") == "keep 02 copy.png"
    keys.press("z")
    shared.page.wait_for_function("!document.querySelector('.zimage-wall-picture:nth-child(2)[data-verdict=keep]')")
    assert shared.value(COPIES, "choices") == ""
    keys.press("k")
    keys.press("ArrowLeft")
    keys.press("d")
    assert shared.value(COPIES, "choices") == "keep 02 copy.png\ndrop 02.png"
    keys.press("z")
    shared.line("wall", "left out: 3")
    shared.run()
    shared.line("report", "26 stay, 3 are copies")
    assert len(shared.serialized()["nodes"]) == 1  # no key was the canvas's


def test_a_proposed_threshold_is_accepted_by_click(shared):
    shared.add(PROFILE)
    shared.put(PROFILE, folder=MESSY)
    assert shared.run()[-1][0] == "execution_success"
    shared.line("report", "29 stay, 2 do not")
    dark = shared.page.locator(".zimage-finding button").filter(has_text="brightness")
    dark.click()
    assert shared.value(PROFILE, "leave_out").startswith("brightness < ")
    shared.run()
    shared.line("report", "(lens cap.png)")
    shared.page.locator(".zimage-finding button[aria-pressed=true]").filter(has_text="brightness").click()
    assert shared.value(PROFILE, "leave_out") == ""


def test_what_is_found_and_what_is_spoken_of_stands_on_the_nodes(shared):
    shared.open(REPOSITORY / "workflows" / "Z-Image Nano - search a folder.json")
    assert shared.run()[-1][0] == "execution_success"
    shared.page.wait_for_function("document.querySelectorAll('.zimage-hit img[src^=data]').length === 20")
    titles = shared.page.locator(".zimage-map caption").all_text_contents()
    assert titles == ["Wanted", "Most common", "Rarest"]
    with shared.page.expect_download() as taken:
        shared.page.locator(".zimage-map a").press("Enter")  # as the canvas may put its small map above it
    assert taken.value.suggested_filename == "concepts.html"
