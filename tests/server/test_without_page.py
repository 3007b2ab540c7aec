"""The frontend extension is optional: with `js/` deleted the pack loads without warnings and draws the same bytes."""

import asyncio
import shutil

from PIL import Image

from paths import REPOSITORY
from prompt_graphs import text_to_image
from tools.comfyui import PACK, running_server
from tools.workflows import execute

LEFT_OUT = shutil.ignore_patterns("js", "tests", "bench", "docs", "build", "output", ".*")


def test_with_js_deleted_every_node_is_there_and_draws_the_same(server, run, tmp_path):
    shutil.copytree(REPOSITORY, tmp_path / "custom_nodes" / PACK, ignore=LEFT_OUT)
    with running_server(tmp_path, tmp_path / "output") as bare:
        outcome = asyncio.run(execute(bare, text_to_image(seed=23)))
        assert outcome.error is None, outcome.error
        ours = {name for name in bare.get("/object_info") if name.startswith("ZImage")}
        assert not any(PACK in script for script in bare.get("/extensions"))
    assert ours == {name for name in server.get("/object_info") if name.startswith("ZImage")}
    log = bare.log.read_text()
    assert "IMPORT FAILED" not in log and "Traceback" not in log
    assert Image.open(outcome.files[0]).tobytes() == Image.open(run(text_to_image(seed=23)).files[0]).tobytes()
