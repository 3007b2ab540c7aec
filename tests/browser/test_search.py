"""The page's own node search finds this pack's nodes first for the model's names, and by Chinese words in any language.

It ranks by node id and name; other words of a schema (search aliases) decide only whether a node is found. Of names
that contain a word equally well, those on the page's own list of often used nodes come first; ours are not on it.
"""

import pytest

SEARCH = """(word) => document.querySelector('#vue-app').__vue_app__.config.globalProperties.$pinia._s
.get('nodeDef').nodeSearchService.searchNode(word).map((node) => node.name)"""
CHINESE = {
    "文生图": "ZImageTurboSampler",
    "图生图": "ZImageImageToImage",
    "采样器": "ZImageSampler",
    "局部重绘": "ZImageInpaint",
    "扩图": "ZImageOutpaint",
    "放大": "ZImageImageToImage",
    "提示词": "ZImageTextEncode",
    "加速": "ZImageOptimize",
    "造相": "ZImageModelLoader",
}


def found(canvas, word):
    """Node ids, best first; those of blueprints are left out."""
    return [name for name in canvas.page.evaluate(SEARCH, word) if not name.startswith("SubgraphBlueprint")]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_our_nodes_are_found_first_by_the_models_name_and_by_chinese_words(shared, server, language):
    shared.set_language(language)
    known = server.get("/object_info")
    listed = {name: node for name, node in known.items() if not node.get("dev_only")}
    ours = {name for name, node in listed.items() if node["python_module"].startswith("custom_nodes")}
    for word in ("z-image", "zimage", "z image", "Z-Image"):
        assert len(ours & set(found(shared, word)[:10])) == 10, word
        assert ours <= set(found(shared, word)), word
    assert "ZImageTurboSampler" in found(shared, "turbo")[:2]  # SDTurboScheduler is on the page's list
    for word in ("zit", "tongyi"):
        assert found(shared, word)[0] in ours, word
    for word, node_id in CHINESE.items():
        assert node_id in found(shared, word), word
