"""One request to a server, read by a thread of its own, so that whoever waits for it can look up and stop."""

import http.client
import queue
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from urllib.parse import urlsplit

TICK = 0.1  # seconds between two looks of who waits
LARGEST_LINE = 1 << 20  # bytes that are taken at once


class Refused(Exception):  # noqa: N818  an answer, no fault of ours
    """A status other than 200, what the server wishes us to wait, and what it said."""

    def __init__(self, status: int, wish: str | None, said: bytes) -> None:
        super().__init__(status)
        self.status, self.wish, self.said = status, wish, said


class TooLarge(Exception):  # noqa: N818  as above
    """An answer of more bytes than are read."""


class Exchange:
    """Lines of an answer as they arrive; iterating raises `Refused`, `TooLarge`, or what the network raised.

    A socket that is silent for `seconds` is a `TimeoutError`; `largest` is in bytes.

    `watch` is called often while nothing arrives, and stops by raising: the connection is closed then, at which servers
    stop writing.
    """

    def __init__(
        self,
        url: str,
        body: bytes,
        headers: Mapping[str, str],
        *,
        seconds: float,
        largest: int,
        watch: Callable[[], object] | None,
    ) -> None:
        place = urlsplit(url)
        kind = http.client.HTTPSConnection if place.scheme == "https" else http.client.HTTPConnection
        self._connection = kind(place.hostname or "", place.port, timeout=seconds)
        self._path, self._body, self._headers, self._watch = place.path, body, headers, watch
        self._arrived: queue.SimpleQueue[bytes | Exception | None] = queue.SimpleQueue()
        self._largest = largest
        self._has_arrived = threading.Event()
        self._is_closed = False

    def __iter__(self) -> Iterator[bytes]:
        threading.Thread(target=self._read, daemon=True).start()
        try:
            while (found := self._next()) is not None:
                if isinstance(found, Exception):
                    raise found
                yield found
        finally:
            self._close()

    def _next(self) -> bytes | Exception | None:
        if self._watch is not None:
            while self._arrived.empty():
                self._watch()
                self._has_arrived.wait(TICK)
            self._has_arrived.clear()
        return self._arrived.get()

    def _read(self) -> None:
        try:
            self._connection.request("POST", self._path, self._body, dict(self._headers))
            response = self._connection.getresponse()
            if response.status != 200:
                raise Refused(response.status, response.getheader("Retry-After"), response.read(LARGEST_LINE))
            n_bytes = 0
            while not self._is_closed and (line := response.readline(LARGEST_LINE)):
                if (n_bytes := n_bytes + len(line)) > self._largest:
                    raise TooLarge
                self._put(line)
            if response.length:  # the server promised more
                raise http.client.IncompleteRead(b"", response.length)
            self._put(None)
        except Exception as error:  # noqa: BLE001  raised by who waits
            self._put(error)
        finally:
            self._connection.close()

    def _put(self, found: bytes | Exception | None) -> None:
        self._arrived.put(found)
        self._has_arrived.set()

    def _close(self) -> None:
        """End the thread's reading, also in the middle of a stall."""
        self._is_closed = True
        with suppress(OSError, AttributeError):
            self._connection.sock.shutdown(socket.SHUT_RDWR)
