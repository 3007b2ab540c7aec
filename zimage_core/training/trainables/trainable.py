"""What can be trained: a module whose parameters are those that learn."""

from contextlib import AbstractContextManager

from torch import nn


class Trainable(nn.Module):
    """Parameters that need gradients are float32, and belong to a network that they change while `attached`."""

    def attached(self) -> AbstractContextManager[None]:
        """The network computes with the parameters; afterwards it is as before."""
        raise NotImplementedError
