"""All weights of a transformer in training, for what adapters are too narrow for."""

from collections.abc import Generator
from contextlib import contextmanager

from torch import nn

from ...adapters import quantized_layers
from .trainable import Trainable


class AllWeights(Trainable):
    """The weights of `network`, made float32: smaller types lose the updates of a low learning rate.

    Bytes while training, with AdamW and the average: 20 a weight (weight, gradient, two moments, average).
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        if packed := quantized_layers(network):
            raise ValueError(
                f"{len(packed)} layers of the model are quantized ({next(iter(packed))} first), and weights of a few "
                "bits cannot be trained; give the model in bfloat16, or train a LoRA on it"
            )
        self.network = network.float()

    @contextmanager
    def attached(self) -> Generator[None]:
        """The weights need gradients; afterwards they are frozen, as a network that only draws has them."""
        self.network.requires_grad_(True)
        try:
            yield
        finally:
            self.network.requires_grad_(False)
