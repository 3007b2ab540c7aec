"""The tries of a row as one small labelled picture, for the node that makes them."""

from collections.abc import Sequence

import torch
from einops import rearrange
from torch import Tensor
from torch.nn.functional import interpolate, pad

from ....zimage_core.grid import Layout, compose

LARGEST = 320  # pixels of a picture's longer side
PER_LINE = 4


def tried_sheet(tries: Sequence[Tensor], labels: Sequence[str], heading: str = "") -> Tensor:
    """IMAGE (1, H, W, 3) of the tries' IMAGEs (b, h, w, c) with a label above each, below a heading.

    Pictures of a batch stand side by side.
    """
    small = [smaller(rearrange(each[..., :3].float().cpu(), "b h w c -> 1 h (b w) c")) for each in tries]
    lines: list[Tensor] = []
    for first in range(0, len(small), PER_LINE):
        named = labels[first : first + PER_LINE]
        layout = Layout(columns=named, rows=[""], sheets=["" if first else heading])
        lines.append(compose(torch.cat(small[first : first + PER_LINE]), layout)[0])
    width = max(line.shape[1] for line in lines)
    white = [pad(line, (0, 0, 0, width - line.shape[1]), value=1.0) for line in lines]
    return torch.cat(white)[None]


def smaller(picture: Tensor) -> Tensor:
    """At most so large, by the mean of pixels."""
    scale = LARGEST / max(picture.shape[1:3])
    if scale >= 1:
        return picture
    size = [max(1, round(side * scale)) for side in picture.shape[1:3]]
    return rearrange(interpolate(rearrange(picture, "n h w c -> n c h w"), size, mode="area"), "n c h w -> n h w c")
