"""The GPU memory of one step of the transformer, counted here and nowhere else in the bridge.

Three callers share the number: `ZImageModel.memory_required`, from which ComfyUI decides how many weights stay on the
GPU, the report of Z-Image Optimize, and the check before steps are captured as CUDA graphs. ComfyUI's own estimate is
1.4 times as large at 1024x1024 and 1.7 times at 2048x2048; what is reserved too much is taken from the weights.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch

from ....zimage_core.conditioning.region_bias import widened
from ....zimage_core.config import MAX_CAPTION_TOKENS, DiTConfig
from ....zimage_core.model.sequence import padded_length
from ....zimage_core.runtime.byte_counts import VALUE_BYTES, Precision, Tokens, step_bytes
from ....zimage_core.runtime.offload.plan_inputs import DTYPES

PRECISIONS: dict[torch.dtype, Precision] = {dtype: name for name, dtype in DTYPES.items()}
CELLS_PER_TOKEN = 4  # a patch of 2x2 latent cells
TOKEN_COPIES = 2  # of all tokens: by patches of other nodes, and by ComfyUI's attention
WIDENED = 4  # copies of queries, keys, values and the result in wider heads
REFERENCE_COPIES = 2  # of reference tokens: the prepared condition keeps them from step to step
FRAGMENTATION = 1.15  # gaps between tensors in PyTorch's allocator, and temporaries of library kernels
LIBRARY_WORKSPACE = 96 * 2**20  # bytes; three times the workspace of the largest GEMM

Shape = Sequence[int]


class StepMemory(NamedTuple):
    """Bytes of one step, by what needs them."""

    activations: int
    token_copies: int
    wider_heads: int  # of attention with regions, whose channels go beside those of queries, keys and values
    reference_copies: int

    @property
    def reserved(self) -> float:
        """Bytes to keep free for the step, with the margins of allocator and libraries."""
        return FRAGMENTATION * sum(self) + LIBRARY_WORKSPACE


def step_memory(
    config: DiTConfig,
    dtype: torch.dtype,
    has_int8: bool,
    latents: Shape,
    references: Sequence[Shape] = (),
    regions: Sequence[Shape] = (),
) -> StepMemory:
    """Bytes of a step on latents (b, 16, h, w) with captions of the greatest length.

    `references` are shapes (1, 16, cells) of reference latents, which every prompt has. `regions` are shapes
    (1, regions, tokens) of prompts with regions, by the tokens of their captions together; the largest counts.
    `has_int8` says that some layers run int8 GEMMs, whose outputs are int32 before they are scaled.
    """
    precision = PRECISIONS.get(dtype, "fp32")
    batch = latents[0]
    items_per_prompt = math.ceil(batch / max(1, len(references)))
    reference_tokens = items_per_prompt * sum(_tokens(each) for each in references)
    image = batch * padded_length(_tokens(latents)) + reference_tokens
    captions = max((each[2] for each in regions), default=0)
    tokens = Tokens(image=image, joint=image + batch * (MAX_CAPTION_TOKENS + captions))
    layers: tuple[Precision, ...] = ("int8", precision) if has_int8 else (precision,)
    token = config.dim * VALUE_BYTES[precision]
    wider = head_width(config.head_dim, max((each[1] for each in regions), default=0))
    return StepMemory(
        activations=max(step_bytes(config, tokens, each, precision) for each in layers),
        token_copies=TOKEN_COPIES * tokens.joint * token,
        wider_heads=WIDENED * tokens.joint * wider * config.n_heads * VALUE_BYTES[precision],
        reference_copies=REFERENCE_COPIES * reference_tokens * token,
    )


def head_width(width: int, n_regions: int) -> int:
    """Channels of a head with two more for each caption of regions; 0 without any, where nothing is copied."""
    return widened(width, 2 * (n_regions + 1)) if n_regions else 0


def _tokens(latent: Shape) -> int:
    return math.ceil(math.prod(latent[2:]) / CELLS_PER_TOKEN)
