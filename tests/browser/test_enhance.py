"""Z-Image Enhance Prompt in the page: what was written can be edited, and is then used without asking."""

from paths import REPOSITORY

GRAPH = REPOSITORY / "workflows" / "Z-Image Nano - enhance and draw.json"
NODE = "ZImageEnhancePrompt"


def test_what_was_written_goes_into_the_box_by_a_button_and_is_used_from_then_on(shared):
    shared.open(GRAPH)
    shared.scroll_to(NODE)
    shared.put(NODE, thinking=0)
    shared.run()
    shared.page.get_by_role("button", name="Puts the prompt into the box").first.click()
    written = shared.value(NODE, "own_prompt")
    assert "triangle" in written and "blue" in written
    shared.put(NODE, own_prompt="a small red heart on white")
    sent = [node["inputs"] for node in shared.prompt().values() if node["class_type"] == NODE]
    assert sent[0]["own_prompt"] == "a small red heart on white"
    shared.page.get_by_role("button", name="Empties the box").first.click()
    assert shared.value(NODE, "own_prompt") == ""
