"""NaN and infinite values in tensors between nodes, which ComfyUI draws black without a word.

Each is looked for once a run, by the sum of a tensor: no step waits for it.
"""

import logging
from collections.abc import Sequence

from torch import Tensor

from ....zimage_core.diagnosis import is_finite

LOGGER = logging.getLogger("zimage")
MODEL_OVERFLOWED = (
    "the model's numbers overflowed. Set precision to automatic or bfloat16 in Z-Image Load Model, take Sage attention "
    "off, or try without LoRAs."
)
VAE_OVERFLOWED = "the autoencoder's numbers overflowed. Start ComfyUI with --bf16-vae or --fp32-vae."
ENCODER_OVERFLOWED = (
    "the text encoder's numbers overflowed, or its file is damaged. Start ComfyUI without --fp16-text-enc, or load "
    "another file of it."
)


def check_finite(values: Tensor, what: str, why: str) -> None:
    """Raise ValueError where what a node was given holds NaN or infinite values."""
    if not is_finite(values):
        raise ValueError(f"{what} holds values that are no numbers (NaN) and would draw black: {why}")


def check_drawn(finite: Sequence[bool], why: str) -> None:
    """Raise ValueError where no picture of a result is made of numbers; a warning where only some are not."""
    if all(finite):
        return
    which = "The picture" if len(finite) == 1 else "Every picture"
    if not any(finite):
        raise ValueError(f"{which} came out as NaN and would be black: {why}")
    numbers = ", ".join(str(index + 1) for index, is_whole in enumerate(finite) if not is_whole)
    LOGGER.warning("Z-Image: of %d pictures number %s came out as NaN and is black: %s", len(finite), numbers, why)
