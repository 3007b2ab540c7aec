"""Whose settings count: the user that queued the running prompt, where ComfyUI has several (--multi-user).

Who sends a request stands in its header alone. It is noted while the prompt is queued, in the part of the queue's entry
that is written into no picture.
"""

from contextvars import ContextVar
from typing import Any

from comfy.cli_args import args

DEFAULT = "default"  # the one user of a ComfyUI without --multi-user
NOTE = "zimage_user"  # in a prompt's extra data
EXTRA_DATA = 3  # its place in an entry of ComfyUI's queue

_asking: ContextVar[str] = ContextVar("zimage_asking_user", default=DEFAULT)


def watch_users(server: Any) -> None:
    """Note from now on who queues a prompt; without --multi-user there is nothing to note."""
    if not args.multi_user or server.app.middlewares.frozen:
        return
    from aiohttp import web

    @web.middleware
    async def note_asking(request: Any, handler: Any) -> Any:
        try:
            token = _asking.set(server.user_manager.get_request_user_id(request))
        except KeyError:  # an unknown user, whom ComfyUI refuses where that matters
            token = _asking.set(DEFAULT)
        try:
            return await handler(request)
        finally:
            _asking.reset(token)

    server.app.middlewares.append(note_asking)
    server.add_on_prompt_handler(_note_in_prompt)


def _note_in_prompt(request: dict[str, Any]) -> dict[str, Any]:
    extra = request.get("extra_data")
    request["extra_data"] = {**(extra if isinstance(extra, dict) else {}), NOTE: _asking.get()}
    return request


def running_user() -> str:
    """The user that queued the running prompt; the default one where it is not known."""
    if not args.multi_user:
        return DEFAULT
    from server import PromptServer

    running, _ = PromptServer.instance.prompt_queue.get_current_queue()
    notes = [entry[EXTRA_DATA].get(NOTE) for entry in running]
    return next((note for note in notes if isinstance(note, str)), DEFAULT)
