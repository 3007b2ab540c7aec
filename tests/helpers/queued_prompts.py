"""A web application like ComfyUI's, to which prompts are queued, and the prompt that runs of them."""

import asyncio
import sys
from collections.abc import Callable, Mapping, Sequence
from types import SimpleNamespace
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer


def queued(
    watch: Callable[[Any], None], headers: Sequence[Mapping[str, str]], extra: Mapping[str, Any], **server: Any
) -> list[dict[str, Any]]:
    """The extra data of a prompt queued with each of some headers, where `watch` was given the server."""
    handlers: list[Callable[[dict[str, Any]], dict[str, Any]]] = []
    app, noted = web.Application(), list[dict[str, Any]]()
    watch(SimpleNamespace(app=app, add_on_prompt_handler=handlers.append, **server))

    async def queue(request: web.Request) -> web.Response:
        body = await request.json()
        for handler in handlers:
            body = handler(body)
        noted.append(body["extra_data"])
        return web.json_response({})

    app.router.add_post("/prompt", queue)

    async def ask() -> None:
        async with TestClient(TestServer(app)) as client:
            for each in headers:
                await client.post("/prompt", json={"extra_data": extra}, headers=each)

    asyncio.run(ask())
    return noted


def running(monkeypatch: Any, extra: Mapping[str, Any] | None) -> None:
    """Let a prompt with this extra data run; none where it is None."""
    entries = [] if extra is None else [(0, "id", {}, extra, [])]
    queue = SimpleNamespace(get_current_queue=lambda: (entries, []))
    instance = SimpleNamespace(prompt_queue=queue)
    monkeypatch.setitem(sys.modules, "server", SimpleNamespace(PromptServer=SimpleNamespace(instance=instance)))
