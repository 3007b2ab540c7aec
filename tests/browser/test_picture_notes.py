"""A mask or a picture that a node can do nothing with is said on that node, until it runs with a better one."""

from page import add_black_mask


def test_a_black_mask_is_said_under_inpaint_until_it_is_white_somewhere(shared):
    add_black_mask(shared)
    assert shared.run()[-1][0] == "execution_success"
    assert "The mask is black: nothing is repainted." in shared.line("report")
    shared.put("SolidMask", value=0.7)
    shared.run()
    assert shared.line("report", "The mask is white everywhere")
    shared.put("ZImageInpaint", grow=0)
    shared.put("SolidMask", width=32, value=0.0)
    shared.run()
    assert "The mask is 32x64 and the picture 64x64" in shared.line("report", "32x64")


def test_a_report_goes_when_the_node_runs_and_has_nothing_to_say(shared):
    shared.page.evaluate(
        "() => { app.graph.clear(); const [picture, vae, encode, decode, shown] = ['EmptyImage', 'ZImageVAELoader',"
        " 'ZImageVAEEncode', 'ZImageVAEDecode', 'PreviewImage'].map((kind, index) => {"
        " const node = LiteGraph.createNode(kind); node.pos = [40 + 300 * index, 120];"
        " app.graph.add(node); return node });"
        " picture.connect(0, encode, 0); vae.connect(0, encode, 1); encode.connect(0, decode, 0);"
        " vae.connect(0, decode, 1); decode.connect(0, shown, 0) }"
    )
    shared.put("EmptyImage", width=70, height=64)
    shared.put("ZImageVAELoader", vae_name="nano (built in)")
    shared.run()
    assert shared.line("report") == "The picture of 70x64 was cropped to 64x64."
    shared.put("EmptyImage", width=64)
    shared.run()
    assert shared.lines("report") == []
