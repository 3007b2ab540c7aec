"""The separate parts of a mask, each of which becomes a region of its own.

Letters: b masks, h w pixels, y x cells.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from .._shapes import Bool, Float
from .crop import CELL, up_to_multiple

MOST_PARTS = 64  # a mask in more pieces is dust, and each would cost a run of the sampler

Run = tuple[int, int]  # columns [start, stop) of one row of cells
Box = tuple[float, float, float, float]  # left, top, width, height, in pixels


def parts(alpha: Float[Tensor, "b h w"]) -> list[Float[Tensor, "b h w"]]:
    """The opacity of each connected part of all masks together, from the top; their sum is `alpha`.

    Parts touch where their cells of 8x8 pixels do, corners included. Raises ValueError for more than 64 parts.
    """
    height, width = alpha.shape[-2:]
    is_hit = F.pad((alpha > 0).any(dim=0), (0, up_to_multiple(width) - width, 0, up_to_multiple(height) - height))
    labels = connected(F.max_pool2d(is_hit[None].float(), CELL)[0] > 0)
    count = int(labels.max()) if labels.numel() else 0
    if count > MOST_PARTS:
        raise ValueError(
            f"The mask is in {count} separate pieces, and each would be painted by itself; at most {MOST_PARTS} are. "
            "Blur or grow the mask so that pieces join, or paint over fewer places."
        )
    of_pixels = labels.repeat_interleave(CELL, 0).repeat_interleave(CELL, 1)[:height, :width].to(alpha.device)
    return [alpha * (of_pixels == label) for label in range(1, count + 1)]


def connected(mask: Bool[Tensor, "y x"]) -> Tensor:
    """The number of the 8-connected component of every cell, from 1 in reading order; 0 where there is none.

    Two passes over runs of cells, which are joined to the runs they touch in the row above (Rosenfeld and Pfaltz,
    Sequential Operations in Digital Picture Processing, 1966).
    """
    parent: list[int] = []

    def root(label: int) -> int:
        while parent[label] != label:
            parent[label] = parent[parent[label]]
            label = parent[label]
        return label

    rows: list[list[tuple[Run, int]]] = []
    above: list[tuple[Run, int]] = []
    for cells in mask.cpu():
        row: list[tuple[Run, int]] = []
        for start, stop in runs(cells):
            label = len(parent)
            parent.append(label)
            for (first, last), other in above:
                if first <= stop and start <= last:  # a corner is enough
                    older, newer = sorted((root(other), root(label)))
                    parent[newer] = older
            row.append(((start, stop), label))
        rows.append(row)
        above = row
    numbers = {label: number for number, label in enumerate((i for i in range(len(parent)) if root(i) == i), 1)}
    labels = torch.zeros(mask.shape, dtype=torch.int64)
    for index, row in enumerate(rows):
        for (start, stop), label in row:
            labels[index, start:stop] = numbers[root(label)]
    return labels


def runs(cells: Bool[Tensor, " x"]) -> list[Run]:
    """The intervals of a row in which cells are set."""
    edges = F.pad(cells.to(torch.int8), (1, 1)).diff()
    return list(zip((edges == 1).nonzero()[:, 0].tolist(), (edges == -1).nonzero()[:, 0].tolist(), strict=True))


def box_mask(boxes: list[Box], size: tuple[int, int]) -> Bool[Tensor, "h w"]:
    """A mask of (height, width) pixels that is set inside the boxes, which are cut at its edge.

    Raises ValueError for a box without a pixel inside.
    """
    height, width = size
    mask = torch.zeros(size, dtype=torch.bool)
    for number, (left, top, wide, tall) in enumerate(boxes, 1):
        columns = slice(max(0, round(left)), max(0, round(left + wide)))
        rows = slice(max(0, round(top)), max(0, round(top + tall)))
        if not mask[rows, columns].numel():
            raise ValueError(
                f"Box {number} (left {left:g}, top {top:g}, width {wide:g}, height {tall:g}) has no pixel inside the "
                f"picture of {width}x{height}. Give boxes in pixels of this very picture."
            )
        mask[rows, columns] = True
    return mask
