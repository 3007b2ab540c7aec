"""Why a run stopped is on the node that stopped it: the sentence first, in the page's language, without a path."""

import pytest

from paths import REPOSITORY

NANO = REPOSITORY / "workflows" / "Z-Image Nano - text to image.json"
BLUEPRINT = REPOSITORY / "subgraphs" / "Z-Image Nano - text to image.json"
WRONG = "flux1-dev.safetensors"
REFUSED = {
    "en": f"{WRONG} is a FLUX-type diffusion model, not a Z-Image diffusion model; choose a file like "
    "z_image_turbo_bf16.safetensors from models/diffusion_models",
    "zh": f"{WRONG} 是 FLUX 类扩散模型，不是 Z-Image 的扩散模型；请从 models/diffusion_models 中选择 "
    "z_image_turbo_bf16.safetensors 这样的文件。",
}
LINES = (
    "(kind) => app.graph.nodes.find((node) => node.type === kind).widgets.find((each) => each.name === 'zimage_panel')"
)


def failed(canvas):
    """The exception that ComfyUI reports for a run."""
    [error] = [data for kind, data in canvas.run() if kind == "execution_error"]
    canvas.errors.clear()  # the page also logs it to the console
    return error


@pytest.mark.parametrize("language", REFUSED)
def test_a_wrong_file_is_named_first_on_its_loader_until_it_runs_again(shared, language):
    shared.set_language(language)
    shared.open(NANO)
    shared.put("ZImageModelLoader", model_name=WRONG)
    error = failed(shared)
    assert error["exception_type"] == "ValueError"
    assert shared.line("error") == REFUSED[language]
    [title] = shared.page.locator("[data-line=error]").evaluate_all("(lines) => lines.map((line) => line.title)")
    assert title == REFUSED["en"]
    shared.put("ZImageModelLoader", model_name="nano (built in)")
    shared.put("ZImageSampler", steps=1)
    assert shared.run()[-1][0] == "execution_success"
    assert shared.lines("error") == []
    shared.page.keyboard.press("Escape")


def test_a_line_of_the_lora_list_that_cannot_be_read_is_told_before_the_run(shared):
    shared.set_language("zh")
    shared.add("ZImageLoraList")
    shared.page.evaluate(
        "() => { const node = (kind) => { const made = LiteGraph.createNode(kind); app.graph.add(made); return made };"
        " const list = app.graph.nodes[0]; node('ZImageModelLoader').connect(0, list, 0);"
        " const view = node('PreviewAny'); view.pos = [900, 120]; list.connect(2, view, 0) }"
    )
    shared.put("ZImageLoraList", loras="\nstyle.safetensors : strong")
    shared.press_run()
    assert shared.line("refusal") == "第 2 行：强度是“strong”，不是数字。请写成：style.safetensors : 0.8"
    shared.errors.clear()  # the page also logs the refusal
    shared.page.keyboard.press("Escape")
    shared.put("ZImageLoraList", loras="")
    assert shared.run()[-1][0] == "execution_success"
    shared.page.locator('[data-line="refusal"]').wait_for(state="detached")  # the node looks three times a second
    assert shared.lines("refusal") == []


def test_it_stands_above_the_other_lines_of_a_sampler(shared):
    shared.set_language("en")
    shared.open(NANO)
    shared.page.evaluate(
        "() => { const find = (kind) => app.graph.nodes.find((node) => node.type === kind);"
        " const video = LiteGraph.createNode('EmptyHunyuanLatentVideo'); app.graph.add(video);"
        " video.widgets.find((each) => each.name === 'length').value = 9; video.connect(0, find('ZImageSampler'), 3) }"
    )
    shared.line("evaluations")
    failed(shared)
    assert "as a video's frames have" in shared.line("error")
    first = shared.page.evaluate(f"() => ({LINES})('ZImageSampler').element.firstElementChild.dataset.line")
    assert first == "error"


def test_a_stock_node_says_it_where_our_code_refused_and_not_where_its_own_did(shared):
    shared.set_language("en")
    shared.open(REPOSITORY / "workflows" / "Z-Image Turbo - default graph plus one node.json")
    shared.page.evaluate(
        "() => { app.graph.clear(); const made = (kind) => { const node = LiteGraph.createNode(kind);"
        " app.graph.add(node); return node };"
        " const [model, text, encode, latent, sampler, decode, vae, save] = ['ZImageModelLoader',"
        " 'ZImageTextEncoderLoader', 'CLIPTextEncode', 'ZImageEmptyLatent', 'KSampler', 'VAEDecode', 'ZImageVAELoader',"
        " 'PreviewImage'].map(made); text.widgets[0].value = 'qwen_3_4b.safetensors';"
        " for (const node of [model, vae]) node.widgets[0].value = 'nano (built in)';"
        " text.connect(0, encode, 0); model.connect(0, sampler, 0); encode.connect(0, sampler, 1);"
        " encode.connect(0, sampler, 2); latent.connect(0, sampler, 3); sampler.connect(0, decode, 0);"
        " vae.connect(0, decode, 1); decode.connect(0, save, 0) }"
    )
    shared.put("ZImageEmptyLatent", megapixels=0.004)
    assert failed(shared)["node_type"] == "KSampler"
    assert "The prompt's features are" in shared.line("error")


def test_it_is_found_inside_a_subgraph(canvas):
    canvas.open(BLUEPRINT)
    canvas.page.evaluate(
        "() => { const shown = LiteGraph.createNode('PreviewImage'); app.graph.add(shown);"
        " app.graph.nodes.find((node) => node.subgraph).connect(0, shown, 0) }"
    )
    canvas.put("ZImageVAELoader", vae_name="nano (built in)")
    canvas.put("ZImageModelLoader", model_name=WRONG)
    failed(canvas)
    canvas.page.evaluate(
        "() => { const node = app.graph.nodes.find((each) => each.subgraph);"
        " app.canvas.openSubgraph(node.subgraph, node) }"
    )
    canvas.scroll_to("ZImageModelLoader")
    assert canvas.line("error") == REFUSED["en"]
