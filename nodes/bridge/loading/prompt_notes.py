"""What stands in a queued prompt's request alone, noted for nodes.

It goes into the part of the queue's entry that is written into no picture.
"""

from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

EXTRA_DATA = 3  # its place in an entry of ComfyUI's queue


def note_requests(server: Any, name: str, read: Callable[[Any], str]) -> None:
    """Keep from now on what `read` finds in the request by which a prompt is queued."""
    if server.app.middlewares.frozen:
        return
    from aiohttp import web

    asking: ContextVar[str] = ContextVar(name, default="")

    @web.middleware
    async def keep(request: Any, handler: Any) -> Any:
        token = asking.set(read(request))
        try:
            return await handler(request)
        finally:
            asking.reset(token)

    def note(body: dict[str, Any]) -> dict[str, Any]:
        extra = body.get("extra_data")
        body["extra_data"] = {**(extra if isinstance(extra, dict) else {}), name: asking.get()}
        return body

    server.app.middlewares.append(keep)
    server.add_on_prompt_handler(note)


def running_note(name: str) -> str:
    """What was noted of the running prompt; nothing where it is not known."""
    from server import PromptServer

    server = getattr(PromptServer, "instance", None)
    if server is None:  # imported without a server, by a test
        return ""
    running, _ = server.prompt_queue.get_current_queue()
    notes = [entry[EXTRA_DATA].get(name) for entry in running]
    return next((note for note in notes if isinstance(note, str)), "")
