"""A progress bar of sampling steps on stderr."""

import sys
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from typing import Any

from tqdm import tqdm

from ..sampling import Step


@contextmanager
def progress_bar() -> Generator[Callable[[Step], None], None, None]:
    """A function to call after each step; the bar appears with the first, so that no error message comes after one."""
    with ExitStack() as stack:
        bars: list[tqdm[Any]] = []

        def advance(step: Step) -> None:
            if not bars:
                bars.append(stack.enter_context(tqdm(total=step.total, unit="step", file=sys.stderr)))
            bars[0].update()

        yield advance
