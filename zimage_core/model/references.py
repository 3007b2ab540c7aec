"""Reference images of Omni and Edit models: the records callers pass, and every token's position.

These models read chunks of text with an image after each: reference, reference, …, target; a last chunk closes the
prompt. A reference brings its latent, its vision features (SigLIP 2), both or neither. Tokens of references and of the
chunks before them are clean (their noise level is 0), tokens of the target are noisy. Source: diffusers 0.42.1
transformer_z_image.py and ComfyUI 0.30.0 comfy/ldm/lumina/model.py, which disagree in four places; no public weights
can tell which is right.

Letters: n tokens, c latent channels, H W latent cells, gh gw vision patches down and across, s vision feature width.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from .._shapes import Float
from ..config import SEQUENCE_MULTIPLE
from .sequence import UNIT_GRID, Grid, caption_positions, image_positions, padded_length, patch_grid

Size = tuple[int, int]
LatentAndFeatures = tuple[Float[Tensor, "c _ _"] | None, Float[Tensor, "_ _ s"] | None]  # every image has its size


class Reference(NamedTuple):
    """A reference image: its latent in model space and its grid of vision features; either may be missing.

    Wherever the model takes a `Reference` it also takes a plain (latent, features) tuple.
    """

    latent: Float[Tensor, "c H W"] | None
    vision_features: Float[Tensor, "gh gw s"] | None = None

    def to(self, like: Tensor) -> "Reference":
        """On another tensor's device, in its dtype."""
        return Reference(*(None if part is None else part.to(like) for part in self))


@dataclass(frozen=True, kw_only=True)
class OmniRules:
    """The five choices in which published implementations differ. The defaults are diffusers', without its bug."""

    # diffusers looks up the rotations of chunk j too early, by as many rows as earlier chunks have pads: a bug
    caption_positions: Literal["clean", "diffusers"] = "clean"
    # a feature grid spans its image's latent in diffusers; ComfyUI assumes 8 cells per feature for every image
    siglip_positions: Literal["diffusers", "comfyui"] = "diffusers"
    # pad tokens in place of the target's features: noisy like their image in diffusers, clean in ComfyUI
    target_siglip: Literal["noisy", "clean"] = "noisy"
    # when no image has features: diffusers skips the vision branch, ComfyUI gives every image pad tokens
    missing_siglip: Literal["absent", "pads"] = "absent"
    # on a model without a vision branch, where the next position is counted from: ComfyUI counts a chunk's pads too
    ends_without_branch: Literal["words", "pads"] = "words"


DEFAULT_RULES = OmniRules()
DIFFUSERS = OmniRules(caption_positions="diffusers")
COMFYUI = OmniRules(
    siglip_positions="comfyui", target_siglip="clean", missing_siglip="pads", ends_without_branch="pads"
)


class StreamPositions(NamedTuple):
    """Positions of one item's tokens of one kind, clean tokens first."""

    positions: Float[Tensor, "n 3"]
    n_clean: int


class ItemPositions(NamedTuple):
    """Positions of all tokens of one item, pads included."""

    captions: StreamPositions
    vision: StreamPositions
    images: StreamPositions


def item_positions(
    chunk_lengths: Sequence[int],
    latent_sizes: Sequence[Size | None],
    vision_grids: Sequence[Size | None],
    *,
    patch: int,
    has_branch: bool = True,
    rules: OmniRules = DEFAULT_RULES,
    grid: Grid = UNIT_GRID,
) -> ItemPositions:
    """Positions of text chunks, images and vision features; `latent_sizes` ends with the target's.

    `vision_grids` ends with None for the target, which has no features; it is empty where the vision branch is skipped.
    """
    n_references = len(latent_sizes) - 1
    counts_pads = not has_branch and rules.ends_without_branch == "pads"
    captions, ends = _caption_positions(chunk_lengths, rules, counts_pads=counts_pads)
    images = [
        image_positions(patch_grid(size, patch), start=end, grid=grid) if size else _pad_positions()
        for size, end in zip(latent_sizes, ends, strict=False)
    ]
    vision = [
        _vision_positions(vision_grid, end + 1, size, rules) if vision_grid else _pad_positions()
        for vision_grid, size, end in zip(vision_grids, latent_sizes, ends, strict=False)
    ]
    n_clean_captions = sum(chunk_length(length) for length in chunk_lengths[:n_references])
    n_clean_grids = len(vision) if rules.target_siglip == "clean" else n_references
    return ItemPositions(
        captions=StreamPositions(captions, n_clean_captions),
        vision=StreamPositions(
            torch.cat(vision) if vision else torch.zeros(0, 3), sum(map(len, vision[:n_clean_grids]))
        ),
        images=StreamPositions(torch.cat(images), sum(map(len, images[:n_references]))),
    )


def chunk_length(n: int) -> int:
    """Tokens of a text chunk of n embeddings, pads included; an empty chunk is 32 pads (ComfyUI's reading)."""
    return padded_length(max(1, n))


def flatten_grid(features: Float[Tensor, "gh gw s"]) -> Float[Tensor, "gh*gw s"]:
    """A feature grid as rows for the vision branch: channel-major memory cut into rows, not one feature per cell.

    It looks like a bug, yet diffusers and ComfyUI agree on it, so trained weights presumably expect it.
    """
    return features.permute(2, 0, 1).reshape(-1, features.shape[-1])


def _caption_positions(
    lengths: Sequence[int], rules: OmniRules, *, counts_pads: bool
) -> tuple[Float[Tensor, "n 3"], list[int]]:
    """Positions of all chunks, pads counting on, and the sequence position after each chunk, with or without pads."""
    starts = [1]
    for length in lengths:
        end = starts[-1] + (chunk_length(length) if counts_pads else length)
        starts.append(end + 2)  # two sequence positions between chunks: an image and its features
    ends = [start - 2 for start in starts[1:]]
    positions: list[Tensor] = []
    for start, length in zip(starts, lengths, strict=False):
        positions.append(caption_positions(chunk_length(length), start))
        if rules.caption_positions == "diffusers":
            positions.append(torch.zeros(chunk_length(length) - length, 3))
    n_tokens = sum(map(chunk_length, lengths))
    return torch.cat(positions)[:n_tokens], ends


def _vision_positions(vision_grid: Size, start: int, latent: Size | None, rules: OmniRules) -> Float[Tensor, "n 3"]:
    """Integer positions of a feature grid spread over its image's latent cells, then (0, 0, 0) for pads."""
    if rules.siglip_positions == "comfyui":
        rows, columns = (torch.linspace(0, 8 * n - 1, n).floor() for n in vision_grid)
    elif latent is None:
        rows, columns = (torch.arange(n, dtype=torch.float32) for n in vision_grid)
    else:
        rows, columns = (
            (torch.arange(n, dtype=torch.float32) / max(n - 1, 1) * (cells - 1)).trunc()
            for n, cells in zip(vision_grid, latent, strict=True)
        )
    count = len(rows) * len(columns)
    positions = torch.zeros(padded_length(count), 3)
    positions[:count] = torch.cartesian_prod(torch.tensor([float(start)]), rows, columns)
    return positions


def _pad_positions() -> Float[Tensor, "32 3"]:
    """Positions of the pads in place of a missing latent or feature grid: all at the origin."""
    return torch.zeros(SEQUENCE_MULTIPLE, 3)
