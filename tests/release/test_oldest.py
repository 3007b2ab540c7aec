"""The archive in the oldest ComfyUI it claims to support, with the packages of today.

That ComfyUI is inside an older source archive of the package the newer one is taken from; `tools/fetch_comfyui.py` puts
it beside the newer one.
"""

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from paths import REPOSITORY
from prompt_graphs import ksampler, text_to_image
from tools.comfyui import PACK, Server, comfyui_folder, running_server
from tools.workflows import execute, to_prompt

VERSION = "0.16.3"


def oldest_folder() -> Path:
    return Path(os.environ.get("COMFYUI_OLDEST_DIR") or comfyui_folder().with_name(f"ComfyUI-{VERSION}"))


@pytest.fixture(scope="module")
def oldest(archive, tmp_path_factory) -> Iterator[Server]:
    if not (oldest_folder() / "main.py").exists():
        pytest.skip(f"no ComfyUI {VERSION} in {oldest_folder()}; tools/fetch_comfyui.py fetches it")
    base = tmp_path_factory.mktemp("oldest")
    (base / "custom_nodes").mkdir()
    (base / "custom_nodes" / PACK).symlink_to(archive, target_is_directory=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COMFYUI_DIR", str(oldest_folder()))
        with running_server(base, base / "output") as up:
            yield up


def run(server: Server, prompt):
    return asyncio.run(asyncio.wait_for(execute(server, prompt), timeout=120))


def test_this_is_that_comfyui(oldest):
    assert oldest.get("/system_stats")["system"]["comfyui_version"] == VERSION


def test_every_node_is_there_and_nobody_complains(oldest):
    ours = {name for name, each in oldest.get("/object_info").items() if each["category"].startswith("Z-Image/")}
    newest = {id for file in (REPOSITORY / "nodes").glob("*.py") for id in ids_in(file)}
    assert ours == newest
    assert "Z-Image:" not in oldest.log.read_text("utf-8", errors="replace")


def ids_in(file: Path) -> list[str]:
    return [part.partition('"')[0] for part in file.read_text("utf-8").split('node_id="')[1:]]


def test_a_prompt_becomes_a_picture(oldest):
    outcome = run(oldest, text_to_image("a large red circle in the middle on a white background", steps=8))
    assert outcome.error is None, outcome.error
    red, green, blue = Image.open(outcome.files[0]).convert("RGB").getpixel((32, 32))
    assert red > 150 > 100 > max(green, blue)


@pytest.mark.parametrize("name", ["edit", "inpaint"])
def test_workflows_run_there_too(oldest, name):
    outcome = run(oldest, to_prompt(oldest, REPOSITORY / f"workflows/Z-Image Nano - {name}.json"))
    assert outcome.error is None, outcome.error
    assert outcome.files


def test_int8_which_it_does_not_know_is_refused_in_a_sentence(oldest):
    prompt = text_to_image()
    prompt["model"]["inputs"]["precision"] = "int8 (faster, not exact)"
    outcome = run(oldest, prompt)
    assert outcome.error["node_id"] == "model"
    assert "too old for int8_tensorwise weights; update it" in outcome.error["exception_message"]


def test_a_stock_sampler_takes_our_model(oldest):
    prompt = text_to_image()
    prompt["sampler"] = ksampler(negative=["positive", 0], seed=1, steps=2, cfg=1.0)
    outcome = run(oldest, prompt)
    assert outcome.error is None, outcome.error
