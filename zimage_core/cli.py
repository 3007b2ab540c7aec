"""The command line: `python -m zimage_core VERB …`, or `zimage VERB …` once installed.

A verb is a module of `commands/` with a function that adds its parser and sets `run`. PyTorch is imported only when a
verb runs, so that `--help` is quick. Every verb prints its result on stdout, its progress and at most one sentence
about an error on stderr, and writes only its `--out`.
"""

import argparse
import logging
import sys
from collections.abc import Sequence
from typing import NoReturn

from .commands.alike import add_alike
from .commands.caption import add_caption
from .commands.compare import add_compare
from .commands.data import add_data
from .commands.distill import add_distill
from .commands.enhance import add_enhance
from .commands.evaluate import add_evaluate
from .commands.generate import add_generate
from .commands.merge import add_merge
from .commands.prefer import add_prefer
from .commands.train import add_train

LOGGER = logging.getLogger("zimage")
INTERRUPTED = 130  # a shell's exit status after Ctrl-C


class OneLineParser(argparse.ArgumentParser):
    """Reports a wrong argument in one line, without the usage."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {one_line(message)}\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit status: 0, 1 for an error, 130 for Ctrl-C; wrong arguments exit with 2."""
    parser = OneLineParser(prog="zimage", description="The Z-Image model family from the command line.")
    verbs = parser.add_subparsers(title="verbs", metavar="VERB", required=True)
    add_generate(verbs)
    add_enhance(verbs)
    add_caption(verbs)
    add_evaluate(verbs)
    add_compare(verbs)
    add_alike(verbs)
    add_train(verbs)
    add_distill(verbs)
    add_prefer(verbs)
    add_merge(verbs)
    add_data(verbs)
    try:
        options = parser.parse_args(arguments)
        options.run(options)
    except KeyboardInterrupt:
        return INTERRUPTED
    except Exception as error:  # the outermost boundary: whoever typed the command gets a sentence, not a traceback
        LOGGER.debug("the command failed", exc_info=error)
        print(f"{parser.prog}: {sentence(error)}", file=sys.stderr)
        return 1
    return 0


def sentence(error: Exception) -> str:
    """What an exception says, in one line; the kind of one that is not meant for people."""
    text = one_line(str(error))
    if isinstance(error, OSError) and error.strerror and error.filename:
        return f"{error.filename}: {error.strerror}"
    if is_out_of_memory(error):
        return "there is not enough memory: choose a smaller --size, or give a --memory-limit"
    return text if isinstance(error, ValueError | OSError) and text else f"{type(error).__name__}: {text}"


def is_out_of_memory(error: Exception) -> bool:
    """Whether Python, a GPU or PyTorch's CPU allocator, which raises a plain RuntimeError, has run out of memory."""
    kinds = ("OutOfMemoryError", "MemoryError")
    return type(error).__name__ in kinds or "not enough memory" in str(error) or "can't allocate memory" in str(error)


def one_line(text: str) -> str:
    """Text without line breaks."""
    return " ".join(text.split())
