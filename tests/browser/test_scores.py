"""Z-Image Score, Pick Best and Compare Models in the page: numbers, a plot and sheets stand on the nodes."""

import re

from paths import REPOSITORY

WORKFLOW = REPOSITORY / "workflows" / "Z-Image Nano - score what you draw.json"
ADD = """() => {
  const find = (kind) => app.graph.nodes.find((node) => node.type === kind);
  const added = ["ZImagePickBest", "ZImageScore", "ZImageCompareModels", "PreviewImage"].map((kind, index) => {
    const node = LiteGraph.createNode(kind);
    node.pos = [2300 + 420 * index, 80];
    app.graph.add(node);
    return node;
  });
  const [best, score, compare, shown] = added;
  find("ZImageVAEDecode").connect(0, best, 0);
  best.connect(3, score, 0);
  const sources = ["ZImageModelLoader", "ZImageTextEncoderLoader", "ZImageVAELoader", "ZImageEmptyLatent"];
  sources.forEach((kind, slot) => find(kind).connect(0, compare, slot));
  compare.connect(0, shown, 0);
}"""
IS_SHOWN = """([kind, name]) => {
  const node = app.graph.nodes.find((each) => each.type === kind);
  const shown = [...(node.imgs ?? []), ...document.querySelectorAll(`[data-node-id="${node.id}"] img`)];
  const isPreview = shown.some((each) => each.src.startsWith("blob:"));
  return !isPreview && shown.some((each) => each.naturalWidth && each.src.includes(encodeURIComponent(name)));
}"""


def test_numbers_and_their_plot_stand_on_the_nodes_and_sheets_take_the_place_of_previews(shared):
    shared.open(WORKFLOW)
    shared.page.evaluate(ADD)
    shared.put("ZImageSampler", seed=4100, steps=2)
    shared.put("ZImagePickBest", score="sharpness", tries=3, good_enough=100000.0)
    shared.put("ZImageCompareModels", prompts="a red star", settings_b="steps = 1", seeds=1, seed=4200, steps=6)
    messages = shared.run()
    assert messages[-1][0] == "execution_success"
    assert re.fullmatch(r"Average of nano's scene .*: [01][.\d]*", shared.line("report", "scene").splitlines()[0])
    shared.scroll_to("ZImagePickBest")
    title, *tries = shared.line("report", "try 3").splitlines()
    values = [float(re.fullmatch(rf"try {k}, seed {4099 + k}: (.+)", line)[1]) for k, line in enumerate(tries, 1)]
    assert title.startswith("sharpness") and len(values) == 3
    plot = shared.page.locator(".zimage-plot svg").first.get_attribute("aria-label")
    assert [float(each.split(": ")[1]) for each in plot.split("; ")] == [float(f"{each:.3g}") for each in values]
    for kind in ("ZImagePickBest", "ZImageCompareModels"):
        node = shared.page.evaluate("(kind) => app.graph.nodes.find((each) => each.type === kind).id", kind)
        outputs = [data["output"] or {} for _, data in messages if str((data or {}).get("display_node")) == str(node)]
        [last] = [each["images"] for each in outputs if {"images", "text"} <= each.keys()][-1]
        shared.scroll_to(kind)
        shared.page.wait_for_function(IS_SHOWN, arg=[kind, last["filename"]])
