"""How large numbers get along a network, by hooks on its linear layers, and where they stop being numbers.

The sizes stay on the device until the call is over. Linear layers are enough: what lies between two of them (norms,
attention, the feed-forward's product) is told by the second one's input.
"""

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

BEFORE = {  # what runs before a linear layer, by the end of its name
    "attention.qkv": "norm",
    "attention.out": "attention",
    "feed_forward.w2": "feed-forward product",
}
OWN = "linear layer"


class Size(NamedTuple):
    """The largest absolute value of a layer's input, made by what runs before it, or of its output."""

    layer: str
    part: str
    largest: float  # NaN and infinity included


class Trace:
    """What hooks saw during one call, in the order of the layers."""

    def __init__(self) -> None:
        self._seen: list[tuple[str, str, Tensor]] = []
        self._sizes: list[Size] = []

    def see(self, layer: str, part: str, values: Any) -> None:
        """Note the size of a layer's input or output; packed ones are left out, where only scales could be broken."""
        if type(values) is Tensor and values.is_floating_point():
            self._seen.append((layer, part, values.detach().abs().amax().float()))

    @property
    def sizes(self) -> list[Size]:
        """All that was seen; synchronizes with the device once."""
        if self._seen:
            numbers = torch.stack([size for _, _, size in self._seen]).tolist()
            self._sizes += [Size(*seen[:2], number) for seen, number in zip(self._seen, numbers, strict=True)]
            self._seen = []
        return self._sizes

    def first_from(self, limit: float = float("inf")) -> Size | None:
        """The first that is NaN or reaches a limit."""
        return next((size for size in self.sizes if not size.largest < limit), None)

    def largest_in(self, layer: str) -> float:
        """Of a layer's inputs and outputs; 0 where it was not seen."""
        return max((size.largest for size in self.sizes if size.layer == layer), default=0.0)


@contextmanager
def traced(network: nn.Module) -> Generator[Trace]:
    """Hooks on every linear layer of a network; taken off at the end."""
    trace = Trace()
    handles: list[Any] = []
    for name, module in network.named_modules():
        if hasattr(module, "in_features"):
            part = next((part for end, part in BEFORE.items() if name.endswith(end)), OWN)
            handles += (
                module.register_forward_pre_hook(
                    lambda _, inputs, name=name, part=part: trace.see(name, part, inputs[0])
                ),
                module.register_forward_hook(lambda _, __, output, name=name: trace.see(name, OWN, output)),
            )
    try:
        yield trace
    finally:
        for handle in handles:
            handle.remove()
