"""Z-Image Prompt in the page: it leaves choices to the node, whose finished prompt then stands below it."""

from paths import REPOSITORY

GRAPH = REPOSITORY / "workflows" / "Z-Image Nano - prompt variations.json"
TEXT = "a large {red|blue} {circle|star} in the middle on a white background"


def test_the_page_queues_the_text_as_it_is_written(shared):
    shared.open(GRAPH)
    shared.put("ZImagePrompt", text=TEXT)
    sent = [node["inputs"] for node in shared.prompt().values() if node["class_type"] == "ZImagePrompt"]
    assert [inputs["text"] for inputs in sent] == [TEXT]


def test_after_a_run_the_finished_prompt_stands_below_the_node_and_the_seed_counts_up(shared):
    shared.open(GRAPH)
    shared.scroll_to("ZImagePrompt")
    shared.put("ZImagePrompt", text=TEXT, seed=1)
    shared.run()
    told = "a large red star in the middle on a white background"  # random.Random(1) begins 0.134, 0.847
    assert shared.line("report", told) == told
    assert shared.value("ZImagePrompt", "seed") == 2
