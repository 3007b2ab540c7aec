"""A real ComfyUI server for all tests in this folder, with tiny model files under the released files' names."""

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from model_files import furnish, write_stock_nano
from tools.comfyui import Server, comfyui_folder, running_server
from tools.workflows import Outcome, Prompt, execute


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    if not (comfyui_folder() / "main.py").exists():
        pytest.skip(f"no ComfyUI in {comfyui_folder()}; `make test` fetches it")
    base = tmp_path_factory.mktemp("comfyui")
    furnish(base)
    write_stock_nano(base)
    with running_server(base, base / "output", ("--cpu", "--preview-method", "latent2rgb")) as up:
        yield up


@pytest.fixture(scope="session")
def definitions(server: Server) -> dict[str, Any]:
    """What the server tells of every node, by id."""
    return server.get("/object_info")


@pytest.fixture
def run(server: Server) -> Callable[..., Outcome]:
    """Queue a prompt graph and wait until it has finished."""

    def execute_and_wait(prompt: Prompt, *on_message: Callable[..., None]) -> Outcome:
        return asyncio.run(asyncio.wait_for(execute(server, prompt, *on_message), timeout=300))

    return execute_and_wait
