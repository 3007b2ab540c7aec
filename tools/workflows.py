"""Runs workflows on a server: converts a file to API form, queues it, collects results and errors."""

import json
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from .comfyui import Server

Prompt = dict[str, dict[str, Any]]
OnMessage = Callable[[str, dict[str, Any]], None]


@dataclass(kw_only=True)
class Outcome:
    """Result of a prompt: executed and cached nodes, files, error."""

    prompt_id: str
    executed: list[str] = field(default_factory=list)  # node ids that ran
    cached: list[str] = field(default_factory=list)
    files: list[Path] = field(default_factory=list)
    error: dict[str, Any] | None = None
    is_interrupted: bool = False


def to_prompt(server: Server, workflow: Path) -> Prompt:
    """The API form of a workflow saved by ComfyUI's page."""
    from comfy_cli.workflow_to_api import convert_ui_to_api

    return convert_ui_to_api(json.loads(workflow.read_text("utf-8")), server.get("/object_info"))


async def execute(server: Server, prompt: Prompt, on_message: OnMessage = lambda kind, data: None) -> Outcome:
    """Queue a prompt and wait for its end; `on_message` gets every message of the server."""
    client = uuid.uuid4().hex
    async with aiohttp.ClientSession() as session, session.ws_connect(f"{server.url}/ws?clientId={client}") as socket:
        status, answer = server.post("/prompt", {"prompt": prompt, "client_id": client})
        if status != 200:
            return Outcome(prompt_id="", error=answer)
        outcome = Outcome(prompt_id=answer["prompt_id"])
        async for message in socket:
            if message.type is aiohttp.WSMsgType.BINARY:
                on_message("preview", {"bytes": len(message.data)})
                continue
            received = json.loads(message.data)
            kind, data = received["type"], received.get("data", {})
            on_message(kind, data)
            if data.get("prompt_id") == outcome.prompt_id and record_message(server, outcome, kind, data):
                return outcome
    raise ConnectionError("ComfyUI closed the connection before the prompt ended")


def record_message(server: Server, outcome: Outcome, kind: str, data: dict[str, Any]) -> bool:
    """Add a message to the outcome; True if it was the last one."""
    match kind:
        case "execution_cached":
            outcome.cached += data["nodes"]
        case "executing" if data["node"] is not None:
            outcome.executed.append(data["node"])
        case "executed":
            output = data.get("output") or {}
            for image in [*output.get("images", []), *output.get("zimage_arena", [])]:
                folder = server.output if image["type"] == "output" else server.base / "temp"
                outcome.files.append(folder / image["subfolder"] / image["filename"])
        case "execution_error":
            outcome.error = data
            return True
        case "execution_interrupted":
            outcome.is_interrupted = True
            return True
        case "execution_success":
            return True
        case _:
            pass
    return False
