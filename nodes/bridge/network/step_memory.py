"""The memory of one evaluation, counted, for ComfyUI to make room for.

ComfyUI's own estimate is 1.4 times as large at 1024x1024 and 1.7 times at 2048x2048; what is reserved too much is taken
from the weights that could stay on the card.
"""

import math
from collections.abc import Sequence

import torch

from ....zimage_core.config import MAX_CAPTION_TOKENS, DiTConfig
from ....zimage_core.model.sequence import padded_length
from ....zimage_core.runtime.byte_counts import VALUE_BYTES, Precision, Tokens, step_bytes
from ....zimage_core.runtime.offload.plan_inputs import DTYPES

PRECISIONS: dict[torch.dtype, Precision] = {dtype: name for name, dtype in DTYPES.items()}
CELLS_PER_TOKEN = 4  # a patch of 2x2 latent cells
KEPT = 2  # copies of all tokens that patches may ask for, and that ComfyUI's attention makes
CLEAN = 2  # of references' tokens, kept from step to step
MARGIN = 1.15  # gaps between tensors, and what kernels of libraries keep for themselves
WORKSPACE = 96 * 2**20  # bytes; three of the largest matrix product's

Shape = Sequence[int]


def evaluation_bytes(
    config: DiTConfig,
    dtype: torch.dtype,
    is_packed: bool,
    latents: Shape,
    references: Sequence[Shape] = (),
) -> float:
    """Room for latents (b, 16, h, w) beside the longest prompts, with reference latents (1, 16, cells) of every prompt.

    `is_packed` is whether layers multiply in 8 bits, whose products come in a wider type first.
    """
    precision = PRECISIONS.get(dtype, "fp32")
    batch = latents[0]
    items_per_prompt = math.ceil(batch / max(1, len(references)))
    looked_at = items_per_prompt * sum(_tokens(each) for each in references)
    image = batch * padded_length(_tokens(latents)) + looked_at
    tokens = Tokens(image=image, joint=image + batch * MAX_CAPTION_TOKENS)
    layers: tuple[Precision, ...] = ("int8", precision) if is_packed else (precision,)
    step = max(step_bytes(config, tokens, each, precision) for each in layers)
    held = (KEPT * tokens.joint + CLEAN * looked_at) * config.dim * VALUE_BYTES[precision]
    return MARGIN * (step + held) + WORKSPACE


def _tokens(latent: Shape) -> int:
    return math.ceil(math.prod(latent[2:]) / CELLS_PER_TOKEN)
