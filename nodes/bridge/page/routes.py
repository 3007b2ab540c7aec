"""HTTP routes for the browser part: token counts, NFE, releases and LoRAs' pictures before a run; arenas; captions.

Every node works the same without them.
"""

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any, cast

from aiohttp import web

from ..loading import inspection, lora_card
from ..loading.language_server.user import watch_users
from ..loading.page_language import watch_languages
from ..tasks import sampling
from . import caption_table, metadata, thumbnails, token_count
from .arena import answers as arena

MAX_CHARACTERS = 200_000  # characters of a prompt; counting them takes a third of a second

Query = Mapping[str, Any]


def register() -> None:
    """Add the routes to ComfyUI's server, and the handler that adds metadata to saved images."""
    from server import PromptServer

    server = getattr(PromptServer, "instance", None)
    if server is None:  # imported without a server, by a scanner or a test
        return
    for path, function in ROUTES.items():
        server.routes.post(f"/zimage/{path}")(_route(function))
    server.add_on_prompt_handler(metadata.on_prompt)
    watch_users(server)
    watch_languages(server)


def tokens(query: Query) -> dict[str, Any]:
    """{prompt, encoder, template} -> {tokens, limit, beyond, unknown}."""
    prompt = str(query["prompt"])
    if len(prompt) > MAX_CHARACTERS:
        raise ValueError(f"a prompt of {len(prompt)} characters is not counted; the most is {MAX_CHARACTERS}")
    return asdict(token_count.measure(prompt, str(query["encoder"]), str(query["template"])))


def evaluations(query: Query) -> dict[str, Any]:
    """{steps, shift, strength, solver[, any other widget that decides the number]} -> {evaluations}."""
    return {"evaluations": sampling.planned_nfe(query)}


def release(query: Query) -> dict[str, Any]:
    """{file} of a diffusion-model dropdown -> {release, numbers}, in the words of Z-Image Inspect File[, native]."""
    file = str(query["file"])
    facts = inspection.origin(file)
    return {**facts, **inspection.native_size(file, facts.get("release", ""))}


def lora(query: Query) -> dict[str, Any]:
    """{file} below models/loras -> {words, preview}: its trigger words, and its picture as a data URI or ""."""
    return lora_card.card(str(query["file"]))


ROUTES: dict[str, Callable[[Query], dict[str, Any]]] = {
    "tokens": tokens,
    "evaluations": evaluations,
    "release": release,
    "lora": lora,
    "captions": caption_table.rows,
    "captions/edit": caption_table.edit,
    "captions/approve": caption_table.approve,
    "captions/redo": caption_table.redo,
    "thumbnails": thumbnails.thumbnails,
    "arena": arena.state,
    "arena/vote": arena.vote,
    "arena/undo": arena.undo,
}


def _route(function: Callable[[Query], dict[str, Any]]) -> Callable[[web.Request], Any]:
    """A request handler that calls `function` off the server's event loop; its errors become status 400."""

    async def handle(request: web.Request) -> web.Response:
        body = await request.read()
        try:
            return web.json_response(await asyncio.to_thread(lambda: function(parse(body))))
        except KeyError as missing:
            return web.json_response({"error": f"the question lacks {missing}, or it has no such value"}, status=400)
        except (ValueError, TypeError, OSError) as error:
            return web.json_response({"error": str(error)}, status=400)

    return handle


def parse(body: bytes) -> Query:
    """The JSON object in a request's body. Raises ValueError for anything else."""
    try:
        query: object = json.loads(body)
    except RecursionError:
        raise ValueError("the question is nested too deeply; send one flat JSON object") from None
    except ValueError as error:
        raise ValueError(f"the question is not JSON ({error}); send one JSON object") from error
    if not isinstance(query, dict):
        raise ValueError("the question is not a JSON object; send one, with a value for each name")
    return cast(Query, {name: _scalar(name, value) for name, value in cast(dict[str, Any], query).items()})


def _scalar(name: str, value: Any) -> Any:
    if isinstance(value, (list, dict)):
        raise ValueError(f"{name} is a list or an object; the question takes text and numbers")
    return value
