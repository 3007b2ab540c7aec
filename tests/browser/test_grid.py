"""Z-Image Grid in the page: its prompt is measured, a mistake is told in the page's language, a sheet is drawn."""

from paths import REPOSITORY

GRAPH = REPOSITORY / "workflows" / "Z-Image Nano - grid.json"


def test_a_mistake_in_an_axis_is_told_in_chinese_and_is_gone_with_the_sheet(canvas):
    canvas.set_language("zh")
    canvas.open(GRAPH)
    prompt = canvas.value("ZImageGrid", "prompt")
    canvas.put("ZImageGrid", prompt="a red dragon")
    assert canvas.line("tokens", "/ 512") and "dragon" in canvas.line("unknown", "nano")
    axis = canvas.value("ZImageGrid", "y_axis")
    canvas.put("ZImageGrid", y_axis="prompt")  # which takes the box's place
    canvas.page.locator('.zimage-line[data-line="tokens"]').wait_for(state="detached")
    canvas.put("ZImageGrid", y_axis=axis, x_values="2, many", prompt=prompt)
    assert canvas.run()[-1][0] == "execution_error"
    canvas.errors.clear()  # the page also logs it to the console
    assert canvas.line("error") == (
        "X 轴（steps）：“many”不是 1 到 1000 之间的整数。请用逗号分隔各个数字，或写成范围，如 4-12:4。"
    )
    canvas.put("ZImageGrid", x_values="1, 2", y_axis="none")
    messages = canvas.run()
    assert messages[-1][0] == "execution_success"
    outputs = [data["output"] or {} for kind, data in messages if kind == "executed"]
    assert any("images" in each for each in outputs)
    assert canvas.lines("error") == []
    assert canvas.value("ZImageGrid", "seed") == 7  # else the next run would draw everything again
