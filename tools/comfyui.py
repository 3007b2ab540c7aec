"""Starts a real ComfyUI server with this pack installed, and talks to it."""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[1]
PACK = "zimage-nodes"
START_SECONDS = 180


@dataclass(frozen=True, kw_only=True)
class Server:
    """A running server."""

    url: str
    base: Path  # its models, input, user and custom_nodes folders
    output: Path
    log: Path
    process: subprocess.Popen[bytes]

    def get(self, path: str) -> Any:
        """GET a path; returns the JSON."""
        with urllib.request.urlopen(self.url + path, timeout=300) as response:
            return json.load(response)

    def post(self, path: str, body: Any) -> tuple[int, Any]:
        """POST JSON; returns status and JSON, of an error response as well."""
        data = json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data=data, headers={"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=300) as response:
                return response.status, parse(response.read())
        except urllib.error.HTTPError as error:
            return error.code, parse(error.read())

    @property
    def is_alive(self) -> bool:
        """Whether the process still runs."""
        return self.process.poll() is None


def parse(body: bytes) -> Any:
    """JSON of a response that may be empty."""
    return json.loads(body) if body else None


def cache_folder() -> Path:
    """Downloads and models that survive `make clean`."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / PACK


def comfyui_folder() -> Path:
    """ComfyUI's folder: COMFYUI_DIR, or the one `make setup` fetches into the cache."""
    return Path(os.environ.get("COMFYUI_DIR") or cache_folder() / "ComfyUI-0.30.0")


def server_command(base: Path, output: Path, port: int, extra: Sequence[str] = ()) -> list[str]:
    """The command line of a server whose only custom node is this repository."""
    nodes = base / "custom_nodes"
    nodes.mkdir(parents=True, exist_ok=True)
    if not (nodes / PACK).exists():
        (nodes / PACK).symlink_to(REPOSITORY, target_is_directory=True)
    # fmt: off
    return [
        sys.executable, str(comfyui_folder() / "main.py"), "--port", str(port),
        "--base-directory", str(base), "--output-directory", str(output), "--temp-directory", str(base),
        "--database-url", "sqlite:///:memory:", "--disable-api-nodes", *extra,
    ]
    # fmt: on


@contextmanager
def running_server(base: Path, output: Path, extra: Sequence[str] = ("--cpu",)) -> Generator[Server]:
    """A server that runs inside the `with` block and is stopped after it."""
    port = free_port()
    log = base / "comfyui.log"
    output.mkdir(parents=True, exist_ok=True)
    arguments = server_command(base, output, port, extra)
    with log.open("wb") as sink:
        process = subprocess.Popen(arguments, stdout=sink, stderr=subprocess.STDOUT)
        server = Server(url=f"http://127.0.0.1:{port}", base=base, output=output, log=log, process=process)
        try:
            wait_until_up(server)
            yield server
        finally:
            process.terminate()
            try:
                process.wait(timeout=60)
            except subprocess.TimeoutExpired:
                process.kill()


def wait_until_up(server: Server) -> None:
    """Return when the server answers; raise with the end of its log if it never does."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if not server.is_alive:
            break
        try:
            server.get("/system_stats")
            return
        except OSError:
            time.sleep(0.3)
    tail = "\n".join(server.log.read_text(errors="replace").splitlines()[-20:])
    raise RuntimeError(f"ComfyUI did not start; the end of {server.log} says:\n{tail}")


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
