"""A language server on loopback: it speaks the protocol, remembers what it was asked, and misbehaves as told."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Answer = str | dict[str, Any] | Callable[[BaseHTTPRequestHandler], None]


class Loopback:
    """What it answers next (an answer, a whole message, or a function of the request), and what came."""

    def __init__(self) -> None:
        self.answers: list[Answer] = []
        self.bodies: list[dict[str, Any]] = []
        self.keys: list[str | None] = []
        self.address = ""

    def reply(self, request: BaseHTTPRequestHandler) -> None:
        """Read a request and answer it."""
        self.bodies.append(json.loads(request.rfile.read(int(request.headers["Content-Length"]))))
        self.keys.append(request.headers["Authorization"])
        answer = self.answers.pop(0) if self.answers else "nothing more to say"
        if callable(answer):
            answer(request)
            return
        message = {"content": answer} if isinstance(answer, str) else answer
        send(request, json.dumps({"choices": [{"message": message}]}).encode())


def send(request: BaseHTTPRequestHandler, body: bytes, status: int = 200, kind: str = "application/json") -> None:
    """A whole response."""
    request.send_response(status)
    request.send_header("Content-Type", kind)
    request.send_header("Content-Length", str(len(body)))
    request.end_headers()
    request.wfile.write(body)


def events(*deltas: dict[str, Any], is_whole: bool = True) -> Callable[[BaseHTTPRequestHandler], None]:
    """An answer in server-sent events, with the end that the protocol wants if it is whole."""

    def reply(request: BaseHTTPRequestHandler) -> None:
        lines = [json.dumps({"choices": [{"delta": delta}]}) for delta in deltas]
        lines += [json.dumps({"choices": [], "usage": {}}), "[DONE]"] if is_whole else []
        send(request, b"".join(f"data: {line}\n\n".encode() for line in lines), kind="text/event-stream")

    return reply


@contextmanager
def loopback() -> Iterator[Loopback]:
    """A server that runs inside the `with` block."""
    told = Loopback()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            told.reply(self)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    told.address = f"http://127.0.0.1:{server.server_address[1]}/v1"
    try:
        yield told
    finally:
        server.shutdown()
        server.server_close()
