"""Random initial weights, drawn from one generator in parameter order."""

import torch
from torch import nn

ZERO_ENDINGS = (
    "adaLN_modulation.0.weight",  # adaLN-Zero (Peebles & Xie 2022): every gated block starts as the identity
    "adaLN_modulation.1.weight",
    "final_layer.linear.weight",
    ".bias",
)


@torch.no_grad()
def init_weights(module: nn.Module, generator: torch.Generator) -> None:
    """Initialize in place: variance 1 / fan-in for matrices and convolutions, 1 for norms, 0 for biases and modulation,
    small noise for pad tokens.
    """
    for name, parameter in module.named_parameters():
        if name.endswith(ZERO_ENDINGS):
            parameter.zero_()
        elif parameter.ndim == 1:
            parameter.fill_(1)
        elif name.endswith("pad_token"):
            parameter.normal_(0, 0.02, generator=generator)
        else:
            parameter.normal_(0, parameter[0].numel() ** -0.5, generator=generator)
