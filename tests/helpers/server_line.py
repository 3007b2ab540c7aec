"""A line to a server that can be cut and mended, as a server looks from outside that goes away and comes back."""

import socket
from contextlib import suppress
from threading import Thread
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from tools.comfyui import Server, free_port


class Line:
    """Passes what is sent to its own port on to a server's, and the answers back."""

    def __init__(self, server: Server) -> None:
        address = urlsplit(server.url)
        self.there = (address.hostname, address.port)
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.ends: list[socket.socket] = []  # of open connections, and the one that waits for new ones

    def __enter__(self) -> Self:
        self.mend()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None):
        self.cut()

    def mend(self) -> None:
        """Take connections from now on."""
        door = socket.create_server(("127.0.0.1", self.port))
        self.ends = [door]
        Thread(target=self._take, args=(door,), daemon=True).start()

    def cut(self) -> None:
        """End every connection and refuse new ones."""
        for end in self.ends:
            close(end)

    def _take(self, door: socket.socket) -> None:
        while True:
            try:
                here, _ = door.accept()
            except OSError:  # cut
                return
            there = socket.create_connection(self.there)
            self.ends += [here, there]
            for source, target in ((here, there), (there, here)):
                Thread(target=pass_on, args=(source, target), daemon=True).start()


def pass_on(source: socket.socket, target: socket.socket) -> None:
    """Send on what comes until one side ends."""
    with suppress(OSError):  # cut
        while data := source.recv(2**16):
            target.sendall(data)
    close(source)
    close(target)


def close(end: socket.socket) -> None:
    """Close a socket, also while another thread waits for it."""
    with suppress(OSError):  # the other side was quicker
        end.shutdown(socket.SHUT_RDWR)
    end.close()
