"""Errors in the page leave the workflow unchanged and are reported."""

import json
from dataclasses import replace

import pytest

from paths import REPOSITORY
from server_line import Line

NANO, TURBO = (REPOSITORY / "workflows" / f"Z-Image {name} - text to image.json" for name in ("Nano", "Turbo"))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "8 / 512 tokens"),
        ("狐狸🦊🏔️", "/ 512 tokens"),
        ("قلب أحمر كبير", "/ 512 tokens"),
        ("a {red|blue} circle", "≈ "),
    ],
)
def test_any_text_is_counted_and_drawn(shared, text, told):
    shared.open(NANO)
    shared.scroll_to("ZImageTextEncode")
    shared.put("ZImageTextEncode", prompt=text)
    shared.put("ZImageSampler", steps=1)
    shared.line("tokens", told)
    assert shared.run()[-1][0] == "execution_success"


def test_half_of_an_emoji_is_drawn_too(shared):
    shared.open(NANO)
    shared.put("ZImageSampler", steps=1)
    shared.page.evaluate(  # created in the page, because playwright sends whole characters only
        "() => { app.graph.nodes.find((node) => node.type === 'ZImageTextEncode')"
        ".widgets.find((widget) => widget.name === 'prompt').value = 'a \\ud83e circle' }"
    )
    assert shared.run()[-1][0] == "execution_success"


def test_a_hundred_thousand_pasted_characters_are_counted_and_change_nothing_else(shared):
    shared.open(NANO)
    shared.scroll_to("ZImageTextEncode")
    shared.put("ZImageTextEncoderLoader", text_encoder_name="qwen_3_4b.safetensors")
    before = shared.serialized()
    shared.put("ZImageTextEncode", prompt="a fox 狐狸 " * 12_500)
    assert "00" in shared.line("tokens", "longer than the model was trained with").split(" /")[0]
    shared.put("ZImageTextEncode", prompt=before["nodes"][4]["widgets_values"][0])
    after = shared.serialized()
    assert [(each["type"], each.get("widgets_values")) for each in after["nodes"]] == [
        (each["type"], each.get("widgets_values")) for each in before["nodes"]
    ]


def test_a_missing_file_is_reported_on_its_loader_and_the_workflow_stays(shared):
    graph = json.loads(TURBO.read_text("utf-8"))
    loader = next(node for node in graph["nodes"] if node["type"] == "ZImageModelLoader")
    loader["widgets_values"][0] = "not_there.safetensors"
    loader["properties"].pop("models", None)
    shared.open(graph)
    shared.press_run()
    shared.page.wait_for_function("() => Object.keys(app.extensionManager.lastNodeErrors ?? {}).length > 0")
    errors = shared.page.evaluate("() => app.extensionManager.lastNodeErrors")
    [told] = [error for each in errors.values() for error in each["errors"]]
    assert list(errors) == [str(loader["id"])] and "not_there.safetensors" in told["details"]
    assert shared.value("ZImageModelLoader", "model_name") == "not_there.safetensors"
    shared.errors.clear()  # the page also logs it to the console


def test_a_server_that_goes_away_for_a_while_costs_nothing(open_page, server):
    with Line(server) as line, open_page(replace(server, url=line.url)) as canvas:
        canvas.open(NANO)
        canvas.scroll_to("ZImageTextEncode")
        canvas.line("tokens")
        line.cut()
        canvas.put("ZImageTextEncode", prompt="a small blue star")
        assert canvas.line("tokens", "ComfyUI does not answer")
        line.mend()
        assert canvas.line("tokens", "/ 512 tokens")
        assert canvas.value("ZImageTextEncode", "prompt") == "a small blue star"
        canvas.page.wait_for_function("() => app.api.socket?.readyState === 1")
        canvas.put("ZImageSampler", steps=1)
        assert canvas.run()[-1][0] == "execution_success"
