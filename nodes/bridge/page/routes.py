"""What the browser may ask before a graph runs. Without these answers every node works the same."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

from aiohttp import web

from ..loading import inspection
from ..tasks import sampling
from . import meter, provenance

LONGEST = 200_000  # characters of a prompt; counting them takes a third of a second

Question = Mapping[str, Any]


def register() -> None:
    """Add the routes to ComfyUI's server, and the pack's facts to the pictures it saves."""
    from server import PromptServer

    server = getattr(PromptServer, "instance", None)
    if server is None:  # imported without a server, by a scanner or a test
        return
    for path, answer in {"tokens": tokens, "evaluations": evaluations, "release": release}.items():
        server.routes.post(f"/zimage/{path}")(_route(answer))
    server.add_on_prompt_handler(provenance.on_prompt)


def tokens(question: Question) -> dict[str, Any]:
    """{prompt, encoder, template} -> {tokens, limit, beyond}."""
    prompt = str(question["prompt"])
    if len(prompt) > LONGEST:
        raise ValueError(f"a prompt of {len(prompt)} characters is not counted; the most is {LONGEST}")
    return asdict(meter.measure(prompt, str(question["encoder"]), str(question["template"])))


def evaluations(question: Question) -> dict[str, Any]:
    """{steps, shift, strength, solver, and what guidance has} -> {evaluations}."""
    return {"evaluations": sampling.planned_evaluations(question)}


def release(question: Question) -> dict[str, Any]:
    """{file} of a diffusion-model dropdown -> {release, numbers}, in the words of Z-Image Inspect File."""
    return inspection.origin(str(question["file"]))


def _route(answer: Callable[[Question], dict[str, Any]]) -> Callable[[web.Request], Any]:
    """An answer as a handler: off the server's own thread, and a question it cannot take is the asker's fault."""

    async def handle(request: web.Request) -> web.Response:
        try:
            return web.json_response(await asyncio.to_thread(answer, await request.json()))
        except KeyError as missing:
            return web.json_response({"error": f"the question lacks {missing}, or it has no such value"}, status=400)
        except (ValueError, TypeError) as error:
            return web.json_response({"error": str(error)}, status=400)

    return handle
