"""The frontend extension: token meter, evaluations, advice, menu, ratio picker, reports; switches."""

import re

import pytest

from paths import REPOSITORY

WORKFLOWS = REPOSITORY / "workflows"
NANO, TURBO = (WORKFLOWS / f"Z-Image {name} - text to image.json" for name in ("Nano", "Turbo"))
SWITCHES = {"TokenMeter": "tokens", "Evaluations": "evaluations", "Advice": "advice", "RatioPicker": "ratios"}
SETTINGS = ("steps", "cfg", "shift", "solver")
TRACKER = "app.extensionManager.workflow.activeWorkflow.changeTracker"
SAMPLER = "app.graph.nodes.find((node) => node.type === 'ZImageSampler')"
FOX = " fox"


def menu_of(canvas, kind):
    """The entries of a node's context menu, as collected by ComfyUI."""
    return canvas.page.evaluate(
        "(kind) => { const node = app.graph.nodes.find((each) => each.type === kind);"
        " return app.collectNodeMenuItems(node).filter((item) => item?.content?.startsWith('Z-Image'))"
        ".map((item) => item.content) }",
        kind,
    )


def choose(canvas, kind, content):
    canvas.page.evaluate(
        "([kind, content]) => { const node = app.graph.nodes.find((each) => each.type === kind);"
        " app.collectNodeMenuItems(node).find((item) => item?.content === content).callback() }",
        [kind, content],
    )


def test_the_meter_counts_while_one_types(shared):
    shared.add("ZImageTextEncode")
    shared.scroll_to("ZImageTextEncode")
    assert shared.line("tokens", "8 / 512 tokens")  # the chat template alone
    box = shared.page.locator("textarea:visible").first
    box.click()
    box.press_sequentially("a fox")
    assert shared.line("tokens", "10 / 512 tokens")
    box.fill(FOX * 520)
    assert shared.line("tokens", "528 / 512 tokens, longer than the model was trained with")
    shared.put("ZImageTextEncode", long_prompts="cut at 512 tokens")
    assert shared.line("tokens", "the end will be cut").count("fox") == 520 - (512 - 3)


def test_the_meter_uses_the_vocabulary_of_the_encoder_that_is_connected(shared):
    shared.open(NANO)
    shared.scroll_to("ZImageTextEncode")
    shared.put("ZImageTextEncode", prompt="photograph")
    shared.put("ZImageTextEncoderLoader", text_encoder_name="qwen_3_4b.safetensors")
    assert shared.line("tokens", "10 / 512 tokens")  # photo + graph
    shared.put("ZImageTextEncoderLoader", text_encoder_name="nano (built in)")
    shared.page.wait_for_function("!document.body.innerText.includes('10 / 512 tokens')")
    nano = next(text for text in shared.lines("tokens") if not text.startswith("8 /"))
    assert int(nano.split(" /")[0]) > 10  # "photograph" is not in the built-in vocabulary, so it is spelled out


def test_a_sampler_shows_the_evaluations_it_will_make_and_then_the_time_it_took(shared):
    shared.open(NANO)
    shared.scroll_to("ZImageSampler")
    assert shared.line("evaluations", "40 model calls")
    shared.put("ZImageSampler", steps=5, cfg=1.0)
    assert shared.line("evaluations", "5 model calls")
    shared.put("ZImageSampler", end_at_step=3)
    assert shared.line("evaluations", "3 model calls")
    shared.put("ZImageSampler", end_at_step=10000)
    assert shared.line("evaluations", "5 model calls")
    shared.run()
    took = shared.line("took", "last time 5 model calls")
    assert float(re.search(r"([\d.]+) s per picture", took)[1]) > 0


def test_the_built_in_encoder_names_the_words_it_never_read(shared):
    shared.open(NANO)
    shared.scroll_to("ZImageTextEncode")
    shared.put("ZImageTextEncode", prompt="a red fox in the snow")
    assert shared.line("unknown", "nano does not know “fox, snow”")
    shared.put("ZImageTextEncode", prompt="a red heart")
    shared.page.wait_for_function("!document.body.innerText.includes('does not know')")


def test_a_batch_with_seeds_of_its_own_tells_them(shared):
    shared.open(NANO)
    shared.put("ZImageEmptyLatent", batch_size=2)
    shared.put("ZImageSampler", seed=2**53 + 2, steps=2, seed_per_picture=True)
    shared.run()
    assert shared.line("seeds", f"seeds of the pictures: {2**53 + 2}, {2**53 + 3}")


def test_the_time_left_is_told_while_steps_are_slow_and_goes_with_the_run(shared):
    """The server's messages at a pace of our own: two steps a second apart, of ten."""
    shared.open(NANO)
    tell = "([kind, data]) => app.api.dispatchCustomEvent(kind, data)"
    node = shared.page.evaluate(f"String({SAMPLER}.id)")
    shared.page.evaluate(tell, ["executing", node])
    for value in (1, 2):
        shared.page.evaluate(tell, ["progress", {"node": node, "value": value, "max": 10, "prompt_id": "a"}])
        shared.page.wait_for_timeout(1000)
    told = shared.line("left", "about")
    minutes, seconds = re.search(r"about (?:(\d+) min )?(\d+) s left", told).groups()
    assert 60 * int(minutes or 0) + int(seconds) >= 8  # more where the machine is busy
    shared.page.evaluate(tell, ["executing", None])
    shared.page.wait_for_function("!document.body.innerText.includes(' left')")


def test_a_step_cache_makes_the_count_an_upper_bound(shared):
    shared.open(WORKFLOWS / "Z-Image Nano - faster.json")
    shared.scroll_to("ZImageSampler")
    assert shared.line("evaluations", "at most 40 model calls")


def test_turbo_with_fifty_steps_is_marked_and_mended_with_one_click(shared):
    shared.open(TURBO)
    shared.scroll_to("ZImageTurboSampler")
    shared.line("evaluations", "8 model calls")
    assert shared.lines("advice") == []
    shared.put("ZImageTurboSampler", steps=50)
    assert "made for 8 steps" in shared.line("advice")
    shared.page.get_by_role("button", name="Turbo settings").click()
    shared.page.wait_for_function("!document.querySelector('.zimage-line[data-line=advice]')")
    assert shared.value("ZImageTurboSampler", "steps") == 8
    shared.page.get_by_text("Turbo settings: steps 8, shift 3, sampler euler").first.wait_for()


def test_a_stock_sampler_with_turbo_at_guidance_8_is_marked_too_and_others_never(shared):
    shared.open(WORKFLOWS / "Z-Image Turbo - default graph plus one node.json")
    shared.scroll_to("KSampler")
    shared.put("KSampler", cfg=8.0, steps=50)
    assert "made for 8 steps at CFG 1" in shared.line("advice")
    assert menu_of(shared, "KSampler") == ["Z-Image: Turbo settings", "Z-Image: Base settings"]
    shared.put("UNETLoader", unet_name="flux1-dev.safetensors")
    shared.page.wait_for_function("!document.querySelector('.zimage-line[data-line=advice]')")
    assert menu_of(shared, "KSampler") == []


def test_the_menu_of_a_sampler_sets_it_up_and_undo_takes_it_back(shared):
    shared.open(NANO)
    assert menu_of(shared, "ZImageSampler") == ["Z-Image: Turbo settings", "Z-Image: Base settings"]
    assert menu_of(shared, "SaveImage") == []
    before = [shared.value("ZImageSampler", name) for name in SETTINGS]
    choose(shared, "ZImageSampler", "Z-Image: Turbo settings")
    assert [shared.value("ZImageSampler", name) for name in SETTINGS] == [8, 1, 3, "euler"]
    choose(shared, "ZImageSampler", "Z-Image: Base settings")
    assert [shared.value("ZImageSampler", name) for name in SETTINGS] == [28, 4, 6, "res_multistep"]
    shared.page.mouse.click(1200, 900)  # a click, with which the page ends a change for undo
    shared.page.wait_for_function(f"() => {TRACKER}.undoQueue.length > 0")
    while waiting := shared.page.evaluate(f"() => {TRACKER}.undoQueue.length"):  # the page may have kept both changes
        shared.page.keyboard.press("Control+z")
        shared.page.wait_for_function(f"(before) => {TRACKER}.undoQueue.length < before", arg=waiting)
    shared.page.wait_for_function(f"() => !{TRACKER}._restoringState && {SAMPLER}?.widgets.length > 0")
    assert [shared.value("ZImageSampler", name) for name in SETTINGS] == before


def test_the_picker_draws_the_ratio_and_a_click_chooses_it(shared):
    shared.open(TURBO)
    shared.scroll_to("ZImageEmptyLatent")
    assert shared.line("size", "1024 × 1024 pixels")
    button = shared.page.get_by_role("button", name="Draw at 16:9")
    box = button.locator(".zimage-shape").bounding_box()
    assert box["width"] / box["height"] == pytest.approx(16 / 9, rel=0.15)
    button.click()
    assert shared.value("ZImageEmptyLatent", "ratio") == "16:9"
    assert shared.line("size", "1360 × 768 pixels")
    assert shared.page.get_by_role("button", name="Draw at 16:9").get_attribute("aria-pressed") == "true"


def test_reports_are_shown_on_the_node_that_wrote_them(shared):
    shared.add("ZImageInspectFile")
    shared.scroll_to("ZImageInspectFile")
    shared.put("ZImageInspectFile", file="diffusion_models/flux1-dev.safetensors")
    shared.run()
    assert "FLUX" in shared.line("report")


def test_everything_can_be_switched_off_and_on_again(shared):
    shared.open(TURBO)
    shared.put("ZImageTurboSampler", steps=50)
    for switch, line in SWITCHES.items():
        shared.page.wait_for_selector(f".zimage-line[data-line={line}]", state="attached")
        shared.set(f"ZImage.{switch}", False)
        shared.page.wait_for_function(f"!document.querySelector('.zimage-line[data-line={line}]')")
        shared.set(f"ZImage.{switch}", True)
        shared.page.wait_for_selector(f".zimage-line[data-line={line}]", state="attached")
    shared.set("ZImage.Menu", False)
    assert menu_of(shared, "ZImageTurboSampler") == []
    shared.set("ZImage.Menu", True)


def test_nothing_the_page_adds_is_saved_or_queued(shared):
    shared.open(NANO)
    shared.line("tokens")
    saved = shared.serialized()
    widgets = {each["type"]: each.get("widgets_values") for each in saved["nodes"]}
    assert widgets["ZImageEmptyLatent"] == ["1:1", 0.004, 1]
    assert "zimage_panel" not in str(saved) + str(shared.prompt())
