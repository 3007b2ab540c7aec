"""Where reference pictures stand in the token stream, and which tokens count as clean.

Omni and Edit read chunks of text with a picture after each: reference, reference, …, target; a last chunk closes. A
picture may bring its latent, its vision features (SigLIP 2), both or neither. References and what belongs to them are
clean, the target and what belongs to it is noisy. Source: diffusers 0.42.1 transformer_z_image.py, and ComfyUI 0.30.0
comfy/ldm/lumina/model.py, which disagree in four places; no weights are public that could tell who is right.
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


class Reference(NamedTuple):
    """A picture to look at: its latent in model space, its grid of vision features, or one of them."""

    latent: Float[Tensor, "c H W"] | None
    siglip: Float[Tensor, "u v s"] | None = None

    def to(self, like: Tensor) -> "Reference":
        """On another tensor's device, in its type."""
        return Reference(*(None if part is None else part.to(like) for part in self))


@dataclass(frozen=True, kw_only=True)
class OmniRules:
    """The four things published implementations do differently. The defaults are diffusers', without its slip."""

    # diffusers looks the rotations of chunk j up as many rows too early as earlier chunks have pads, by an oversight
    caption_positions: Literal["clean", "diffusers"] = "clean"
    # a feature grid spans its picture's latent in diffusers; ComfyUI takes every picture for 8 cells a feature
    siglip_positions: Literal["diffusers", "comfyui"] = "diffusers"
    # the pads that stand for the target's features: noisy like their picture in diffusers, clean in ComfyUI
    target_siglip: Literal["noisy", "clean"] = "noisy"
    # where no picture brings features: diffusers leaves the branch out, ComfyUI gives every picture pads
    missing_siglip: Literal["absent", "pads"] = "absent"


REFERENCE = OmniRules()
DIFFUSERS = OmniRules(caption_positions="diffusers")
COMFYUI = OmniRules(siglip_positions="comfyui", target_siglip="clean", missing_siglip="pads")


class Stream(NamedTuple):
    """One kind of token: positions in order, and how many of the first are clean."""

    positions: Float[Tensor, "n 3"]
    n_clean: int


class Places(NamedTuple):
    """Every token of one item, kind by kind; pads included."""

    captions: Stream
    images: Stream
    siglips: Stream


def places(
    chunk_lengths: Sequence[int],
    latent_sizes: Sequence[Size | None],
    siglip_grids: Sequence[Size | None],
    *,
    patch: int,
    rules: OmniRules = REFERENCE,
    grid: Grid = UNIT_GRID,
) -> Places:
    """Positions of chunks, pictures and features; `latent_sizes` ends with the target's, whose features are None.

    `siglip_grids` is empty where the branch is left out.
    """
    n_references = len(latent_sizes) - 1
    captions, ends = _captions(chunk_lengths, rules)
    images = [
        image_positions(patch_grid(size, patch), start=end, grid=grid) if size else _pads()
        for size, end in zip(latent_sizes, ends, strict=False)
    ]
    siglips = [
        _siglips(features, end + 1, size, rules) if features else _pads()
        for features, size, end in zip(siglip_grids, latent_sizes, ends, strict=False)
    ]
    n_clean_captions = sum(chunk_length(length) for length in chunk_lengths[:n_references])
    n_clean_siglips = len(siglips) if rules.target_siglip == "clean" else n_references
    return Places(
        Stream(captions, n_clean_captions),
        Stream(torch.cat(images), sum(map(len, images[:n_references]))),
        Stream(torch.cat(siglips) if siglips else torch.zeros(0, 3), sum(map(len, siglips[:n_clean_siglips]))),
    )


def chunk_length(n: int) -> int:
    """Tokens of a chunk of n features, pads included; an empty chunk is all pads (ComfyUI's reading)."""
    return padded_length(max(1, n))


def flatten_grid(features: Float[Tensor, "u v s"]) -> Float[Tensor, "u*v s"]:
    """Feature rows as the branch reads them: channel-major memory cut into rows, not one feature per place.

    It looks like a slip, yet diffusers and ComfyUI agree on it, so trained weights presumably expect it.
    """
    return features.permute(2, 0, 1).reshape(-1, features.shape[-1])


def _captions(lengths: Sequence[int], rules: OmniRules) -> tuple[Float[Tensor, "n 3"], list[int]]:
    """Positions of all chunks, pads counting on, and where each chunk ends without its pads."""
    starts = [1]
    for length in lengths:
        starts.append(starts[-1] + length + 2)  # two places: the picture's, and its features'
    ends = [start - 2 for start in starts[1:]]
    rows: list[Tensor] = []
    for start, length in zip(starts, lengths, strict=False):
        rows.append(caption_positions(chunk_length(length), start))
        if rules.caption_positions == "diffusers":
            rows.append(torch.zeros(chunk_length(length) - length, 3))
    n_tokens = sum(map(chunk_length, lengths))
    return torch.cat(rows)[:n_tokens], ends


def _siglips(features: Size, start: int, latent: Size | None, rules: OmniRules) -> Float[Tensor, "n 3"]:
    """Positions of a feature grid spread over its picture, whole numbers, then (0, 0, 0) for pads."""
    if rules.siglip_positions == "comfyui":
        rows, columns = (torch.linspace(0, 8 * n - 1, n).floor() for n in features)
    elif latent is None:
        rows, columns = (torch.arange(n, dtype=torch.float32) for n in features)
    else:
        rows, columns = (
            (torch.arange(n, dtype=torch.float32) / max(n - 1, 1) * (cells - 1)).trunc()
            for n, cells in zip(features, latent, strict=True)
        )
    count = len(rows) * len(columns)
    positions = torch.zeros(padded_length(count), 3)
    positions[:count] = torch.cartesian_prod(torch.tensor([float(start)]), rows, columns)
    return positions


def _pads() -> Float[Tensor, "32 3"]:
    """What stands for something missing: pads alone, all at the origin."""
    return torch.zeros(SEQUENCE_MULTIPLE, 3)
