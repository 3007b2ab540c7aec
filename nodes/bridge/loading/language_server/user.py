"""Whose settings count: the user that queued the running prompt, where ComfyUI has several (--multi-user).

Who sends a request stands in its header alone.
"""

from typing import Any

from comfy.cli_args import args

from ..prompt_notes import note_requests, running_note

DEFAULT = "default"  # the one user of a ComfyUI without --multi-user
NOTE = "zimage_user"  # in a prompt's extra data


def watch_users(server: Any) -> None:
    """Note from now on who queues a prompt; without --multi-user there is nothing to note."""
    if not args.multi_user:
        return

    def asking(request: Any) -> str:
        try:
            return server.user_manager.get_request_user_id(request)
        except KeyError:  # an unknown user, whom ComfyUI refuses where that matters
            return DEFAULT

    note_requests(server, NOTE, asking)


def running_user() -> str:
    """The user that queued the running prompt; the default one where it is not known."""
    return (running_note(NOTE) if args.multi_user else "") or DEFAULT
