"""The archive in older versions of ComfyUI, with the packages of today: the oldest it supports, and one between.

Every shipped workflow runs in one of them, by turns, and draws what it draws in the newest. `tools/fetch_comfyui.py`
fetches each version.
"""

import asyncio
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from model_files import furnish
from paths import REPOSITORY
from prompt_graphs import ksampler, text_to_image
from shipped_workflows import WORKFLOWS, affordable
from tools.comfyui import PACK, Server, cache_folder, comfyui_folder, running_server
from tools.workflows import Prompt, execute, to_prompt

VERSIONS = ("0.16.3", "0.24.0")
INT8 = "int8 (faster, not exact)"
MAX_STEPS = 2
TELLING = {"ZImageCaptionFolder", "ZImageCurate"}  # nodes of workflows that end in words
TRAINED_ALIKE = {  # as "train a LoRA" does, by the same bridge to the host, and takes a minute
    "Z-Image Nano - from a messy folder to a LoRA",
    "Z-Image Nano - two rounds of curation",
    "Z-Image Nano - make your own Turbo",
    "Z-Image Nano - merge two fine-tunes by score",
    "Z-Image Nano - teach it your taste",
    "Z-Image Nano - train an edit LoRA from pairs",
    "Z-Image Nano - train from a recipe",
}

Pictures = dict[str, list[bytes]]  # by workflow


@contextmanager
def serving(comfyui: Path, archive: Path, base: Path) -> Iterator[Server]:
    if not (comfyui / "main.py").exists():
        pytest.skip(f"no ComfyUI in {comfyui}; tools/fetch_comfyui.py fetches it")
    furnish(base)
    (base / "custom_nodes").mkdir()
    (base / "custom_nodes" / PACK).symlink_to(archive, target_is_directory=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COMFYUI_DIR", str(comfyui))
        with running_server(base, base / "output") as up:
            yield up


@pytest.fixture(scope="module")
def hosts(archive, tmp_path_factory) -> Iterator[Callable[[str], Server]]:
    """The server of a version, which is started once."""
    with ExitStack() as running:

        @cache
        def host(version: str) -> Server:
            folder = Path(os.environ.get("COMFYUI_CACHE") or cache_folder()) / f"ComfyUI-{version}"
            return running.enter_context(serving(folder, archive, tmp_path_factory.mktemp("older")))

        yield host


@pytest.fixture(params=VERSIONS)
def older(request, hosts) -> Server:
    return hosts(request.param)


@pytest.fixture(scope="session")
def in_the_newest(archive, tmp_path_factory) -> Iterator[Callable[[Prompt], list[bytes]]]:
    """Pictures of a prompt in the newest ComfyUI; of an equal prompt, those drawn before."""
    drawn: Pictures = {}
    with serving(comfyui_folder(), archive, tmp_path_factory.mktemp("newest")) as up:

        def draw(prompt: Prompt) -> list[bytes]:
            if str(prompt) not in drawn:
                drawn[str(prompt)] = pictures(up, prompt)
            return drawn[str(prompt)]

        yield draw


def run(server: Server, prompt: Prompt):
    return asyncio.run(asyncio.wait_for(execute(server, prompt), timeout=300))


def pictures(server: Server, prompt: Prompt) -> list[bytes]:
    """Pixels of every picture a prompt saves or shows."""
    outcome = run(server, prompt)
    assert outcome.error is None, outcome.error
    assert outcome.files or TELLING & {node["class_type"] for node in prompt.values()}
    return [Image.open(file).tobytes() for file in outcome.files]


def without_int8(prompt: Prompt) -> Prompt:
    """What a host that has no int8 makes of a prompt that asks for it."""
    exact = {"ZImageModelLoader": "automatic", "ZImageOptimize": "as loaded"}
    return {
        name: {**each, "inputs": {**each["inputs"], "precision": exact[each["class_type"]]}}
        if each["inputs"].get("precision") == INT8
        else each
        for name, each in prompt.items()
    }


def log_of(server: Server) -> str:
    return server.log.read_text("utf-8", errors="replace")


def test_every_node_is_there_and_nobody_complains(older):
    assert older.get("/system_stats")["system"]["comfyui_version"] in VERSIONS
    ours = {name for name, each in older.get("/object_info").items() if each["category"].startswith("Z-Image/")}
    newest = {id for file in (REPOSITORY / "nodes").glob("*.py") for id in ids_in(file)}
    assert ours == newest
    assert "Z-Image:" not in log_of(older)


def ids_in(file: Path) -> list[str]:
    return [part.partition('"')[0] for part in file.read_text("utf-8").split('node_id="')[1:]]


def test_a_prompt_becomes_a_picture(older):
    outcome = run(older, text_to_image("a large red circle in the middle on a white background", steps=8))
    assert outcome.error is None, outcome.error
    red, green, blue = Image.open(outcome.files[0]).convert("RGB").getpixel((32, 32))
    assert red > 150 > 100 > max(green, blue)


def by_turns() -> Iterator[Any]:
    """Pairs of a version and a workflow."""
    for index, workflow in enumerate(each for each in WORKFLOWS if each.stem not in TRAINED_ALIKE):
        version = VERSIONS[index % len(VERSIONS)]
        yield pytest.param(version, workflow, id=f"{version}-{workflow.stem}")


@pytest.mark.parametrize(("older", "workflow"), by_turns(), indirect=["older"])
def test_every_workflow_draws_there_what_it_draws_in_the_newest(older, in_the_newest, workflow):
    """But for int8, which came with 0.27: there the graph draws exactly."""
    prompt = affordable(to_prompt(older, workflow), MAX_STEPS)
    assert pictures(older, prompt) == in_the_newest(without_int8(prompt))


def test_int8_is_not_offered_and_a_graph_with_it_draws_exactly_and_says_so(older):
    inputs = older.get("/object_info/ZImageModelLoader")["ZImageModelLoader"]["input"]["required"]
    assert INT8 not in str(inputs["precision"])
    prompt = text_to_image()
    exact = pictures(older, prompt)
    prompt["model"]["inputs"]["precision"] = INT8
    assert pictures(older, prompt) == exact
    assert "is loaded as it is, not in int8, because ComfyUI 0." in log_of(older)


def test_a_stock_sampler_takes_our_model(older):
    prompt = text_to_image()
    prompt["sampler"] = ksampler(negative=["positive", 0], seed=1, steps=2, cfg=1.0)
    outcome = run(older, prompt)
    assert outcome.error is None, outcome.error
