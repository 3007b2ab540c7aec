"""Z-Image Caption on the real server: nano's pictures told exactly, others by a server that is really shown them."""

import base64
import io

import numpy as np
import pytest
from loopback import loopback
from PIL import Image

from prompt_graphs import node
from zimage_core.nano.data.caption_reading import stated
from zimage_core.nano.data.render import render
from zimage_core.nano.data.scenes import every_scene

SCENE = list(every_scene())[4000]


@pytest.fixture
def captions(server, run):
    """Caption a picture; the texts, or the error."""

    def of(picture, **widgets):
        picture.save(server.base / "input" / "to_caption.png")
        settings = {"kind": "medium", "language": "English", "captioner": "nano (built in)", "seed": 0, "known": ""}
        graph = {
            "load": node("LoadImage", image="to_caption.png"),
            "told": node("ZImageCaption", images=["load", 0], **{**settings, **widgets}),
        }
        texts = []
        outcome = run(graph, lambda kind, data: texts.extend(data["output"]["text"]) if kind == "executed" else None)
        return outcome.error or texts

    return of


def test_nanos_scene_is_told_in_both_languages_and_another_picture_is_refused(captions):
    [told] = captions(render(SCENE, 7))
    assert stated(told) == vars(SCENE)
    [told] = captions(render(SCENE, 7), language="Chinese", kind="tags")
    assert "，" in told
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8))
    assert "none of nano's" in str(captions(noise))


def test_the_server_of_the_settings_is_shown_the_picture_and_told_what_is_known(server, captions):
    picture = Image.fromarray(np.random.default_rng(1).integers(0, 256, (24, 40, 3), dtype=np.uint8))
    with loopback() as told:
        server.post("/settings", {"ZImage.ServerAddress": told.address})
        told.answers += ["Here is the caption: Grey noise fills the whole picture."]
        try:
            found = captions(picture, kind="short", captioner="language server", known="a test pattern")
        finally:
            server.post("/settings", {"ZImage.ServerAddress": ""})
    assert found == ["Grey noise fills the whole picture."]
    shown, _ = told.bodies[0]["messages"][-1]["content"]
    sent = Image.open(io.BytesIO(base64.b64decode(shown["image_url"]["url"].split(",")[1])))
    assert np.array_equal(np.asarray(sent), np.asarray(picture))
    assert "a test pattern" in told.bodies[0]["messages"][0]["content"]
