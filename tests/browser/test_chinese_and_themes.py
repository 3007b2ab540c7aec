"""What the page adds, on a Chinese page and in both themes; other files test what it does, in English.

Nothing of ours is English there, and every text stands out from what lies behind it, as WCAG 2 asks of small print.
"""

import re

import pytest

from page import add_black_mask
from paths import REPOSITORY

WORKFLOWS = REPOSITORY / "workflows"
NANO, TURBO = (WORKFLOWS / f"Z-Image {name} - text to image.json" for name in ("Nano", "Turbo"))
LEAST_CONTRAST = 4.5
NAMES = (
    "Turbo CFG nano token Image LoRA sigma base blocks VAE Stable Diffusion FLUX Latent ComfyUI CUDA GB cpu steps "
    "alpha diffusion pipe"  # the last two are a trainer
)
FILE = re.compile(r"\S+\.safetensors|models/\w+|nano \(built in\)|b?float\d+|\b\w+_\w+\b")

TEXTS = """() => [...document.querySelectorAll('.zimage-panel *, .zimage-chooser *, .zimage-box:placeholder-shown')]
.filter((each) => each.checkVisibility() && !each.disabled).filter((each) => each.value || each.placeholder
|| [...each.childNodes].some((part) => part.nodeType === 3 && part.data.trim()))"""
WORDS = f"""() => ({TEXTS})().flatMap((each) =>
[each.innerText, each.placeholder ?? '', each.getAttribute('aria-label') ?? ''])"""
CONTRASTS = f"""() => {{
  const pixel = new OffscreenCanvas(1, 1).getContext('2d', {{ willReadFrequently: true }});
  const rgba = (color) => {{
    pixel.clearRect(0, 0, 1, 1);
    pixel.fillStyle = color;
    pixel.fillRect(0, 0, 1, 1);
    return pixel.getImageData(0, 0, 1, 1).data;
  }};
  const light = (color) => [0.2126, 0.7152, 0.0722].reduce((sum, part, i) => {{
    const x = rgba(color)[i] / 255;
    return sum + part * (x <= 0.04045 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4);
  }}, 0);
  const holds = (node, element) => node.widgets?.some((each) => each.element?.contains(element));
  const behind = (element) => {{
    for (let each = element; each; each = each.parentElement) {{
      const color = getComputedStyle(each).backgroundColor;
      if (each.id === 'graph-canvas-container' || each.classList.contains('graph-canvas-panel')) break;
      if (rgba(color)[3] === 255) return color;
    }}
    return app.graph.nodes.find((node) => holds(node, element))?.bgcolor ?? LiteGraph.NODE_DEFAULT_BGCOLOR;
  }};
  return ({TEXTS})().map((each) => {{
    const {{ color }} = getComputedStyle(each, each.matches(':placeholder-shown') ? '::placeholder' : null);
    const [high, low] = [light(color), light(behind(each))].sort((a, b) => b - a);
    return [(high + 0.05) / (low + 0.05), color, behind(each), each.innerText || each.value || each.placeholder];
  }});
}}"""

STRAY = """() => { const shown = app.graph.nodes.flatMap((node) => node.widgets ?? []).map((each) => each.element);
return [...document.querySelectorAll('.zimage-panel')].filter((each) => each.checkVisibility() && !shown.includes(each))
.length }"""


LORA = "pixel_art_style_z_image_turbo.safetensors"
ADD_REPORTS = """() => { const kinds = ['ZImageModelLoader', 'ZImageLoraLoader', 'ZImageLoraList', 'ZImageOptimize',
'PreviewAny', 'ZImageInspectFile'];
const [loader, lora, list, optimize, shown] = kinds.map((kind, index) => { const node = LiteGraph.createNode(kind);
node.pos = [-1100 + 360 * (index % 3), 80 + 520 * (index > 2)]; app.graph.add(node); return node });
loader.widgets[0].value = 'z_image_turbo_bf16.safetensors';
loader.connect(0, lora, 0); lora.connect(0, list, 0); list.connect(0, optimize, 0); optimize.connect(1, shown, 0) }"""
SHOW_ALL = "() => { app.canvas.ds.scale = 0.7; app.canvas.ds.offset = [1130, 60]; app.canvas.setDirty(true, true) }"


@pytest.fixture(scope="module")
def chinese_page(module_canvas):
    """Without the English prompts that other tests have run."""
    module_canvas.page.evaluate("() => app.api.deleteUserData('zimage-prompts.json')")
    module_canvas.set_language("zh")
    return module_canvas


@pytest.fixture
def chinese(chinese_page, shared):
    """The module's page; a test ends with what it has to show in view."""
    yield shared
    assert_chinese(shared)
    assert shared.page.evaluate(STRAY) == 0
    for theme in ("light", "dark"):
        shared.set("Comfy.ColorPalette", theme)
        assert_readable(shared)


def assert_chinese(canvas):
    """No English word is among the texts, but for names of files and things."""
    text = FILE.sub("", " ".join(canvas.page.evaluate(WORDS)))
    assert set(re.findall(r"[A-Za-z]{2,}", text)) <= set(NAMES.split())


def assert_readable(canvas):
    found = canvas.page.evaluate(CONTRASTS)
    assert [each for each in found if each[0] < LEAST_CONTRAST] == []


def test_settings_that_do_not_suit_the_model(chinese):
    chinese.open(TURBO)
    chinese.put("ZImageTurboSampler", steps=50)
    assert chinese.line("tokens", "个 token")
    assert "是 Turbo" in chinese.line("advice")
    assert chinese.line("size", "像素")
    assert chinese.page.evaluate("() => LiteGraph.createNode('ZImageTurboSampler').title") == "Z-Image Turbo 采样器"


def test_a_size_and_words_that_nano_does_not_know(chinese):
    chinese.open(NANO)
    chinese.put("ZImageEmptyLatent", megapixels=1.0)
    chinese.put("ZImageTextEncode", prompt="一只狐狸")
    assert "狐狸" in chinese.line("unknown", "不认识")
    told = chinese.line("native")
    assert "是按 64 × 64 像素训练的，在 1024 × 1024 下画不好。" in told and "改用 64 × 64" in told
    chinese.scroll_to("ZImageEmptyLatent")


def test_a_run_its_seeds_its_time_and_the_prompt_afterwards(chinese):
    chinese.open(NANO)
    chinese.put("ZImageTextEncode", prompt="黑色背景上中间有一个大粉色星星")
    chinese.put("ZImageEmptyLatent", batch_size=2)
    chinese.put("ZImageSampler", seed=5, steps=2, seed_per_picture=True)
    assert chinese.run()[-1][0] == "execution_success"
    chinese.scroll_to("ZImageSampler")
    assert chinese.line("seeds") == "各张图的种子：5, 6"
    assert chinese.line("took", "用时")
    chinese.scroll_to("ZImageTextEncode")
    chinese.page.get_by_role("button", name="最近的提示词").first.click()
    chinese.line("history", "大粉色星星")


def test_rows_of_loras_and_the_list_of_files(chinese):
    chinese.add("ZImageLoraList")
    chinese.scroll_to("ZImageLoraList")
    chinese.put("ZImageLoraList", loras="不在.safetensors : 1\n风格.safetensors : 1,5")
    chinese.page.locator(".zimage-loras .zimage-warning").first.wait_for()
    chinese.page.locator(".zimage-loras [data-control=add]").click()
    chinese.page.get_by_role("combobox", name="搜索 models/loras").wait_for()
    chinese.page.get_by_role("option").first.wait_for()


def test_a_curve_that_cannot_be_drawn(chinese):
    chinese.page.keyboard.press("Escape")
    chinese.add("ZImageDrawnSigmas")
    chinese.scroll_to("ZImageDrawnSigmas")
    chinese.put("ZImageDrawnSigmas", points="0 1, 0.5 1, 1 0")
    assert chinese.line("curve", "连不成下降的曲线")
    chinese.put("ZImageDrawnSigmas", points="0 1, 0.4 0.5, 1 0")
    assert (
        chinese.page.locator(".zimage-curve button").nth(1).get_attribute("aria-label") == "第 40% 步处的点，sigma 0.5"
    )


def test_a_report_and_an_error(chinese):
    add_black_mask(chinese)
    assert chinese.run()[-1][0] == "execution_success"
    assert chinese.line("report") == "遮罩全黑：什么都不会重绘。请把要改的地方涂白。"
    chinese.put("ZImageVAELoader", vae_name="sdxl_vae.safetensors")
    assert chinese.run()[-1][0] == "execution_error"
    chinese.errors.clear()  # the page also logs it to the console
    assert "自编码器" in chinese.line("error")
    chinese.page.keyboard.press("Escape")


def test_reports_of_models_files_and_pictures(chinese):
    chinese.open(WORKFLOWS / "Z-Image Nano - doctor.json")
    chinese.page.evaluate(ADD_REPORTS)
    chinese.put("ZImageInspectFile", file=f"loras/{LORA}")
    chinese.put("ZImageLoraLoader", lora_1=LORA)
    chinese.put("ZImageLoraList", loras=f"{LORA} : 0.5")
    chinese.put("ZImageSampler", cfg=100.0, seed=11)  # of no other file: a result from the cache says nothing
    assert chinese.run()[-1][0] == "execution_success"
    found = chinese.line("found")
    assert "结果过火，Latent 太强" in found and "CFG 100 太高。base 请设 3 到 5，Turbo 请设 1。" in found
    chinese.page.evaluate(SHOW_ALL)
    told = "".join(chinese.lines("report"))
    parts = (
        "注意力：由 ComfyUI 选择",
        "匹配 1 个模块中的 1 个",
        "强度：1",
        "使权重改变了",
        "文件夹：models/loras",
        "结果过火",
    )
    assert [each for each in parts if each not in told] == []


def test_a_mistake_in_a_grid(chinese):
    chinese.open(WORKFLOWS / "Z-Image Nano - grid.json")
    chinese.put("ZImageGrid", x_values="2, 0")
    assert chinese.run()[-1][0] == "execution_error"
    chinese.errors.clear()
    assert "X 轴" in chinese.line("error")
    chinese.page.keyboard.press("Escape")


def test_an_arena_before_and_after_its_votes(chinese):
    chinese.open(WORKFLOWS / "Z-Image Nano - arena.json")
    chinese.scroll_to("ZImageArena")
    chinese.put("ZImageTextEncode", prompt="条纹背景上的小黄色星星")
    chinese.put("ZImageEmptyLatent", batch_size=1)
    chinese.put("ZImageArena", arena="步数", names="少\n多")
    chinese.line("arena", "这里还没有图片")
    assert chinese.run()[-1][0] == "execution_success"
    assert "小黄色星星" in chinese.line("arena", "待评 1 对 · 已投 0 票")
    chinese.page.get_by_role("button", name="右边的更好").click()
    told = chinese.line("arena", "待评 0 对 · 已投 1 票")
    assert "胜过" in told and "1 胜 0 平 0 负" in told


def test_rarely_used_inputs(chinese, frontend):
    chinese.add("ZImageTurboSampler")
    chinese.scroll_to("ZImageTurboSampler")
    if "classic" in frontend:  # Nodes 2.0 has a button of its own
        chinese.page.get_by_role("button", name="显示高级输入").click()
        chinese.page.get_by_role("button", name="隐藏高级输入").wait_for()
