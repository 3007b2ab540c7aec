"""Z-Image Score and Z-Image Pick Best in the page: numbers stand on the nodes, and the sheet of the tries."""

import re

from paths import REPOSITORY

WORKFLOW = REPOSITORY / "workflows" / "Z-Image Nano - score what you draw.json"
ADD_PICK_BEST = """() => {
  const decode = app.graph.nodes.find((node) => node.type === "ZImageVAEDecode");
  const [best, shown] = ["ZImagePickBest", "PreviewImage"].map((kind, index) => {
    const node = LiteGraph.createNode(kind);
    node.pos = [2300 + 420 * index, 80];
    app.graph.add(node);
    return node;
  });
  decode.connect(0, best, 0);
  best.connect(0, shown, 0);
}"""


IS_SHOWN = """(name) => {
  const node = app.graph.nodes.find((each) => each.type === "ZImagePickBest");
  const shown = [...(node.imgs ?? []), ...document.querySelectorAll(`[data-node-id="${node.id}"] img`)];
  const isPreview = shown.some((each) => each.src.startsWith("blob:"));
  return !isPreview && shown.some((each) => each.naturalWidth && each.src.includes(encodeURIComponent(name)));
}"""


def test_numbers_stand_on_the_nodes_and_the_tries_are_seen_in_one_sheet(shared):
    shared.open(WORKFLOW)
    shared.page.evaluate(ADD_PICK_BEST)
    shared.put("ZImageSampler", seed=4100, steps=2)
    shared.put("ZImagePickBest", score="sharpness", tries=3, good_enough=100000.0)
    messages = shared.run()
    assert messages[-1][0] == "execution_success"
    assert re.fullmatch(r"Average of nano's scene .*: [01][.\d]*", shared.line("report", "scene").splitlines()[0])
    shared.scroll_to("ZImagePickBest")
    title, *tries = shared.line("report", "try 3").splitlines()
    values = [float(re.fullmatch(rf"try {k}, seed {4099 + k}: (.+)", line)[1]) for k, line in enumerate(tries, 1)]
    assert title.startswith("sharpness") and len(values) == 3
    outputs = [data["output"] or {} for kind, data in messages if kind == "executed"]
    sheets = [each["images"] for each in outputs if {"images", "text"} <= each.keys()]
    [last] = sheets[-1]
    shared.page.wait_for_function(IS_SHOWN, arg=last["filename"])
