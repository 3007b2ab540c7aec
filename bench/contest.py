"""One system's way of doing a cell, as something that can be run again and again."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import NamedTuple, Protocol

import torch
from torch import Tensor, nn

from .random_weights import Inputs

Run = Callable[[], Tensor]
Scope = Callable[[], AbstractContextManager[object]]


def nothing() -> None:
    """Forgets nothing, as most runs keep nothing."""


class Contestant(NamedTuple):
    """A named run. Whatever its `scope` switches is switched outside the clock."""

    name: str
    run: Run
    scope: Scope = nullcontext
    forget: Callable[[], None] = nothing  # gives back what a run keeps for the next, so that memory counts it

    @torch.inference_mode()
    def once(self) -> Tensor:
        """The result of one run."""
        with self.scope():
            return self.run()


class System(Protocol):
    """An implementation of the whole model. Every method prepares what a user would keep between two calls.

    Results mean the same everywhere: velocity noise − picture, prompt features at exact length one prompt after
    another, pictures in [-1, 1], a block's tokens with the caption's first.
    """

    name: str

    def block(self, inputs: Inputs) -> Run:
        """The first main block."""
        ...

    def transformer(self, inputs: Inputs) -> Run:
        """The velocity of one step, guided where the cell is."""
        ...

    def text(self, inputs: Inputs) -> Run:
        """Features of the prompts."""
        ...

    def decode(self, inputs: Inputs) -> Run:
        """Pictures of the latents."""
        ...

    def picture(self, inputs: Inputs) -> Run:
        """From token ids to pictures, 8 steps."""
        ...


class NotCalledAsModule(RuntimeError):
    """A block that its network does not call as a module cannot be measured by itself."""


@torch.inference_mode()
def captured(block: nn.Module, forward: Callable[[], object]) -> Callable[[Tensor], Tensor]:
    """`block` as `forward` calls it, as a function of its tokens alone; they are copied, as a block may write on them.

    Every system's block is taken this way, so none has to be imitated here.
    """
    calls: list[tuple[tuple[object, ...], dict[str, object]]] = []

    def remember(module: nn.Module, args: tuple[object, ...], kwargs: dict[str, object]) -> None:
        calls.append((args, kwargs))

    handle = block.register_forward_pre_hook(remember, with_kwargs=True)
    try:
        forward()
    finally:
        handle.remove()
    if not calls:
        raise NotCalledAsModule(f"{type(block).__name__} never ran as a module: leave out the part `block`")
    args, kwargs = calls[0]
    return lambda tokens: block(tokens.clone(), *args[1:], **kwargs)
