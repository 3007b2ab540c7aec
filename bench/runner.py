"""The interface of benchmarked systems, and runners: repeatable calls of one system on one workload."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import NamedTuple, Protocol

import torch
from torch import Tensor, nn

from .random_weights import Inputs

Run = Callable[[], Tensor]
Scope = Callable[[], AbstractContextManager[object]]


def do_nothing() -> None:
    """Default `release`: most systems keep no buffers between runs."""


class Runner(NamedTuple):
    """A named, repeatable call. Its `scope` (a context manager of settings) is entered outside the timed region."""

    name: str
    run: Run
    scope: Scope = nullcontext
    release: Callable[[], None] = do_nothing  # frees buffers kept between runs, so that peak memory includes them

    @torch.inference_mode()
    def run_once(self) -> Tensor:
        """Run within `scope` and return the result."""
        with self.scope():
            return self.run()


class System(Protocol):
    """One implementation of the whole model. Methods do the reusable preparation and return the call to be timed.

    Results are comparable across systems: velocity = noise - image; prompt embeddings without padding, concatenated
    over prompts; images in [-1, 1]; block output with caption tokens first.
    """

    name: str

    def block(self, inputs: Inputs) -> Run:
        """The first main block."""
        ...

    def transformer(self, inputs: Inputs) -> Run:
        """The velocity of one sampling step, with guidance if the workload is guided."""
        ...

    def text(self, inputs: Inputs) -> Run:
        """Prompt embeddings."""
        ...

    def decode(self, inputs: Inputs) -> Run:
        """Images decoded from latents."""
        ...

    def picture(self, inputs: Inputs) -> Run:
        """Token ids to images: text encoding, sampling and decoding."""
        ...


class NotCalledAsModule(RuntimeError):
    """The network does not call the block through `nn.Module.__call__`, so it cannot be benchmarked in isolation."""


@torch.inference_mode()
def isolated_block(block: nn.Module, forward: Callable[[], object]) -> Callable[[Tensor], Tensor]:
    """`block` as a function of its tokens alone, with the other arguments that `forward` passes to it.

    The arguments come from a forward pre-hook, so this works for every system's block signature. The tokens are
    cloned, because a block may modify them in place.
    """
    calls: list[tuple[tuple[object, ...], dict[str, object]]] = []

    def record_call(module: nn.Module, args: tuple[object, ...], kwargs: dict[str, object]) -> None:
        calls.append((args, kwargs))

    handle = block.register_forward_pre_hook(record_call, with_kwargs=True)
    try:
        forward()
    finally:
        handle.remove()
    if not calls:
        raise NotCalledAsModule(f"{type(block).__name__} never ran as a module: leave out the part `block`")
    args, kwargs = calls[0]
    return lambda tokens: block(tokens.clone(), *args[1:], **kwargs)
