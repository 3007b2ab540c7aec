"""A progress bar of sampling steps on stderr."""

import sys
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..sampling import Step


@contextmanager
def progress_bar() -> Generator[Callable[["Step"], None], None, None]:
    """A function to call after each step; the bar appears with the first, so that no error message comes after one."""
    from tqdm import tqdm

    with ExitStack() as stack:
        bars: list[tqdm[Any]] = []

        def advance(step: "Step") -> None:
            if not bars:
                bars.append(stack.enter_context(tqdm(total=step.total, unit="step", file=sys.stderr)))
            bars[0].update()

        yield advance
