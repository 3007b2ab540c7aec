"""Ctrl-C while Daft's threads work: each ends with the item under its hands, and nobody leaves before they have.

A thread that still ran Python when the interpreter ends would abort the process.
"""

import threading
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

Item = TypeVar("Item")
PATIENCE = 30.0  # seconds that threads are waited for

_stopped, _idle = threading.Event(), threading.Condition()
_working = 0  # threads, of this process


class StoppedError(BaseException):
    """The person has stopped the run; as an interrupt, no fault that a partition is tried again for."""


@contextmanager
def working() -> Generator[None]:
    """Around what a thread does for a partition. Raises `StoppedError` after a stop."""
    global _working  # noqa: PLW0603 - the threads are Daft's, so that nothing can be handed to them
    with _idle:
        if _stopped.is_set():
            raise StoppedError
        _working += 1
    try:
        yield
    finally:
        with _idle:
            _working -= 1
            _idle.notify_all()


def unless_stopped(items: Iterable[Item]) -> Iterator[Item]:
    """The same items, until a stop, which raises `StoppedError`."""
    for each in items:
        if _stopped.is_set():
            raise StoppedError
        yield each


def start() -> None:
    """Forget an earlier stop."""
    _stopped.clear()


def stop() -> None:
    """Tell the threads, and wait until they have ended."""
    _stopped.set()
    with _idle:
        _idle.wait_for(lambda: not _working, PATIENCE)
