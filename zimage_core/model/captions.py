"""Several captions side by side before one image, each as if it were alone with the image.

Letters: b batch, n tokens, f width of the text embeddings.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from .._shapes import Float
from .condition import Condition, RunBlock, run_block
from .s3dit import S3DiT
from .sequence import UNIT_GRID, Grid, caption_positions, image_positions


def prepare_side_by_side(
    network: S3DiT,
    captions: Sequence[Sequence[Float[Tensor, "_ f"]]],
    latent_size: tuple[int, int],
    *,
    grid: Grid = UNIT_GRID,
    run: RunBlock = run_block,
) -> Condition:
    """The condition of k captions, each given for every item of a batch, all items padded alike; each refined alone."""
    return side_by_side(network, [network.prepare(each, latent_size, grid=grid, run=run) for each in captions], grid)


def side_by_side(network: S3DiT, parts: Sequence[Condition], grid: Grid = UNIT_GRID) -> Condition:
    """The condition of captions that were prepared one by one for the same image.

    Their positions end together, right before the image's, so that each lies to the image as it would without the
    others; one caption alone is `network.prepare`, bit for bit.
    """
    if len(parts) == 1:
        return parts[0]
    lengths = [part.caption.shape[1] for part in parts]
    longest = max(lengths)
    texts = [caption_positions(length, start=1 + longest - length) for length in lengths]
    positions = torch.cat((*texts, image_positions(parts[0].size, start=longest + 1, grid=grid)))
    rope = network.rope([positions], parts[0].caption.device)
    n_text = sum(lengths)
    return Condition(
        torch.cat([part.caption for part in parts], dim=1),
        parts[0].size,
        image_rope=rope[:, n_text:],
        joint_rope=rope,
    )
